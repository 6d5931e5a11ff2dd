/**
 * The search of Wu and Manber for many literals at once: a table tells from the bytes at the end of a window how far the next one
 * can be that holds any. Four places of the same bytes are looked at in turn, so that the processor need not wait for one table's
 * answer before it asks for the next (measured: twice as fast).
 */

/** Tables and numbers of one search. */
@unmanaged
class Plan {
  /** How far the next window can be, by the hash of the bytes at the end of this one. */
  shifts: u32;
  /** Whether any window begins so, by the hash of its first bytes. */
  begins: u32;
  /** 1 + the first entry whose window ends so, by the first hash. */
  heads: u32;
  /** For each entry, from 1 on, the next one with the same hash; 0: none. */
  nexts: u32;
  entries: u32;
  /** What a hash is shifted by, so that it has as many bits as the tables. */
  drop: u32;
  /** Bytes of a window. */
  window: u32;
  /** Bytes that are hashed together: 4 or 2. */
  step: u32;
  /** What is searched: literals must lie whole in it. */
  from: u32;
  to: u32;
  /** 1: there was no room for a hit. */
  crowded: u32;
}

/** One of the places that a search goes on from. */
@unmanaged
class Lane {
  /** The end of its window: the bytes that are hashed there. */
  at: u32;
  /** Where its part ends. */
  end: u32;
  /** Where its next hit goes, and where there is no more room. */
  out: u32;
  full: u32;
}

/** One literal. */
@unmanaged
class Entry {
  /** Where its bytes are. */
  bytes: u32;
  length: u32;
  /** Where in the literal its window begins. */
  skip: u32;
  /** 1: ASCII letters count in either case. */
  fold: u32;
}

/** Hits of one lane at most. */
const laneHits: u32 = 1024;
/** What `find` says when there are more hits than it has room for. */
const tooMany: u32 = 0xffffffff;

/** Letters of either case fall together, so that one table serves all literals. */
const foldWide: u32 = 0x20202020;
const foldNarrow: u32 = 0x2020;
/** Knuth's multiplicative hash. */
const golden: u32 = 0x9e3779b1;

function hashOf<T>(at: u32, drop: u32): u32 {
  if (sizeof<T>() === 4) return ((load<u32>(at) | foldWide) * golden) >>> drop;
  return <u32>load<u16>(at) | foldNarrow;
}

function lowerCase(byte: u8): u8 {
  return <u8>(byte - 0x41) < 26 ? byte | 0x20 : byte;
}

function entryOf(plan: Plan, number: u32): Entry {
  return changetype<Entry>(<usize>(plan.entries + (number - 1) * offsetof<Entry>()));
}

function holds(entry: Entry, start: u32): bool {
  for (let i: u32 = 0; i < entry.length; i++) {
    const byte = load<u8>(start + i);
    const wanted = load<u8>(entry.bytes + i);
    if (byte !== wanted && !(entry.fold === 1 && lowerCase(byte) === wanted)) return false;
  }
  return true;
}

/** Whether an entry's literal lies whole between `from` and `to`, where its window begins at `window`. */
function isHere(entry: Entry, window: u32, from: u32, to: u32): bool {
  if (window < from + entry.skip) return false;
  const start = window - entry.skip;
  return start + entry.length <= to && holds(entry, start);
}

/** Stores where the window of a lane begins, if any literal is there. */
function note<T>(plan: Plan, lane: Lane, at: u32): void {
  const window = at - (plan.window - sizeof<T>());
  let next = <u32>load<u16>(plan.heads + hashOf<T>(at, plan.drop) * 2);
  while (next !== 0) {
    if (isHere(entryOf(plan, next), window, plan.from, plan.to)) {
      if (lane.out === lane.full) plan.crowded = 1;
      else {
        store<u32>(lane.out, window);
        lane.out += 4;
      }
      return;
    }
    next = <u32>load<u16>(plan.nexts + next * 2);
  }
}

/** Goes on in one lane to its end. */
function findOne<T>(plan: Plan, lane: Lane): void {
  const shifts = plan.shifts;
  const begins = plan.begins;
  const drop = plan.drop;
  const span = plan.window - sizeof<T>();
  const end = lane.end;
  let at = lane.at;
  while (at < end) {
    const shift = <u32>load<u8>(shifts + hashOf<T>(at, drop));
    if (shift === 0 && load<u8>(begins + hashOf<T>(at - span, drop)) !== 0) note<T>(plan, lane, at);
    at += max(shift, 1);
  }
}

/** Goes on in four lanes for so many rounds, which must be over before any of them is at its end. */
function findFour<T>(plan: Plan, rounds: u32, lane0: Lane, lane1: Lane, lane2: Lane, lane3: Lane): void {
  const shifts = plan.shifts;
  const begins = plan.begins;
  const drop = plan.drop;
  const span = plan.window - sizeof<T>();
  let at0 = lane0.at;
  let at1 = lane1.at;
  let at2 = lane2.at;
  let at3 = lane3.at;
  for (let left = rounds; left > 0; left--) {
    let shift0 = <u32>load<u8>(shifts + hashOf<T>(at0, drop));
    let shift1 = <u32>load<u8>(shifts + hashOf<T>(at1, drop));
    let shift2 = <u32>load<u8>(shifts + hashOf<T>(at2, drop));
    let shift3 = <u32>load<u8>(shifts + hashOf<T>(at3, drop));
    if (shift0 * shift1 * shift2 * shift3 === 0) {
      if (shift0 === 0 && load<u8>(begins + hashOf<T>(at0 - span, drop)) !== 0) note<T>(plan, lane0, at0);
      if (shift1 === 0 && load<u8>(begins + hashOf<T>(at1 - span, drop)) !== 0) note<T>(plan, lane1, at1);
      if (shift2 === 0 && load<u8>(begins + hashOf<T>(at2 - span, drop)) !== 0) note<T>(plan, lane2, at2);
      if (shift3 === 0 && load<u8>(begins + hashOf<T>(at3 - span, drop)) !== 0) note<T>(plan, lane3, at3);
      shift0 = max(shift0, 1);
      shift1 = max(shift1, 1);
      shift2 = max(shift2, 1);
      shift3 = max(shift3, 1);
    }
    at0 += shift0;
    at1 += shift1;
    at2 += shift2;
    at3 += shift3;
  }
  lane0.at = at0;
  lane1.at = at1;
  lane2.at = at2;
  lane3.at = at3;
}

/** What is left of a lane. */
function restOf(lane: Lane): u32 {
  return lane.at < lane.end ? lane.end - lane.at : 0;
}

/** Copies the hits of a lane behind others; gives where the next go. */
function gather(lane: Lane, hits: u32, to: u32): u32 {
  const bytes = lane.out - hits;
  if (to !== hits) memory.copy(to, hits, bytes);
  return to + bytes;
}

function findAll<T>(plan: Plan, lanes: u32, out: u32): u32 {
  const step: u32 = sizeof<T>();
  const size: u32 = offsetof<Lane>();
  const lane0 = changetype<Lane>(<usize>lanes);
  const lane1 = changetype<Lane>(<usize>(lanes + size));
  const lane2 = changetype<Lane>(<usize>(lanes + 2 * size));
  const lane3 = changetype<Lane>(<usize>(lanes + 3 * size));
  const first = plan.from + plan.window - step;
  // Windows end before this.
  const last = plan.to - step + 1;
  const part = (last - first) / 4;
  const room = laneHits * 4;
  lane0.at = first;
  lane0.end = lane1.at = first + part;
  lane1.end = lane2.at = first + 2 * part;
  lane2.end = lane3.at = first + 3 * part;
  lane3.end = last;
  lane0.out = out;
  lane0.full = lane1.out = out + room;
  lane1.full = lane2.out = out + 2 * room;
  lane2.full = lane3.out = out + 3 * room;
  lane3.full = out + 4 * room;
  plan.crowded = 0;
  const farthest = plan.window - step + 1;
  for (;;) {
    const least = min(min(restOf(lane0), restOf(lane1)), min(restOf(lane2), restOf(lane3)));
    const rounds = least / farthest;
    if (rounds === 0) break;
    findFour<T>(plan, rounds, lane0, lane1, lane2, lane3);
  }
  findOne<T>(plan, lane0);
  findOne<T>(plan, lane1);
  findOne<T>(plan, lane2);
  findOne<T>(plan, lane3);
  if (plan.crowded === 1) return tooMany;
  let to = gather(lane0, out, out);
  to = gather(lane1, out + room, to);
  to = gather(lane2, out + 2 * room, to);
  to = gather(lane3, out + 3 * room, to);
  return (to - out) / 4;
}

/**
 * Stores where windows begin whose literals lie whole between `from` and `to`, in order, and gives how many; `tooMany` where there
 * is no room for them. `lanes`: memory for four of them.
 */
export function find(plan: u32, from: u32, to: u32, lanes: u32, out: u32): u32 {
  const search = changetype<Plan>(<usize>plan);
  if (to < from + search.window) return 0;
  search.from = from;
  search.to = to;
  return search.step === 4 ? findAll<u32>(search, lanes, out) : findAll<u16>(search, lanes, out);
}

function numbersOf<T>(plan: Plan, from: u32, to: u32, out: u32, room: u32): u32 {
  const shifts = plan.shifts;
  const span = plan.window - sizeof<T>();
  const full = out + room * 4;
  let place = out;
  let at = from + span;
  while (at + sizeof<T>() <= to) {
    const hash = hashOf<T>(at, plan.drop);
    const shift = <u32>load<u8>(shifts + hash);
    if (shift !== 0) {
      at += shift;
      continue;
    }
    const window = at - span;
    at++;
    if (load<u8>(plan.begins + hashOf<T>(window, plan.drop)) === 0) continue;
    let next = <u32>load<u16>(plan.heads + hash * 2);
    while (next !== 0) {
      if (isHere(entryOf(plan, next), window, from, to)) {
        if (place === full) return tooMany;
        store<u32>(place, next - 1);
        place += 4;
      }
      next = <u32>load<u16>(plan.nexts + next * 2);
    }
  }
  return (place - out) / 4;
}

/**
 * Stores the numbers of the entries whose literals lie between `from` and `to`, each as often as it is there, and gives how many;
 * `tooMany` where there are more than `room`.
 */
export function numbersIn(plan: u32, from: u32, to: u32, out: u32, room: u32): u32 {
  const search = changetype<Plan>(<usize>plan);
  return search.step === 4
    ? numbersOf<u32>(search, from, to, out, room)
    : numbersOf<u16>(search, from, to, out, room);
}
