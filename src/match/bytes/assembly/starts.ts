/** Record starts in logs where one line after the other begins with the same shape: a bracket, a stamp, a colon, say. */

/** Bytes of one vector. */
const wide: u32 = 16;

/**
 * A shape is its length and, for each of up to three vectors, the classes of its bytes and then a mask of the bytes that don't
 * matter: 4 + 12 bytes of nothing, 3 x 16, 3 x 16.
 */
const classesAt: usize = 16;
const masksAt: usize = 64;

const lineFeed: u8 = 0x0a;
const tab: u8 = 0x09;

/** Digits as 9, letters as a, all else as it is. */
function classesOf(bytes: v128): v128 {
  const digits = i8x16.lt_u(i8x16.sub(bytes, i8x16.splat(0x30)), i8x16.splat(10));
  const letters = i8x16.lt_u(
    i8x16.sub(v128.or(bytes, i8x16.splat(0x20)), i8x16.splat(0x61)),
    i8x16.splat(26),
  );
  return v128.bitselect(i8x16.splat(0x39), v128.bitselect(i8x16.splat(0x61), bytes, letters), digits);
}

/** Whether each byte is of its class or, where a capital letter stands in the shape, that letter. */
function fits(at: u32, shape: v128, mask: v128): bool {
  const bytes = v128.load(at);
  const same = v128.or(i8x16.eq(classesOf(bytes), shape), i8x16.eq(bytes, shape));
  return i8x16.all_true(v128.or(same, mask));
}

/**
 * Where records begin from `from` on, as long as each is one line that begins with the shape, has an end before `to`, and is not
 * longer than `maxLine`. Stores the places, `base` more than they are here, then where it stopped, then 1 if that is a line that
 * goes on behind `to`, then 1 if behind the shapes there may be other bytes than printable ASCII, tabs and line ends; gives how many
 * records there are. Up to 64 bytes behind `to` must be memory.
 */
export function recordStarts(from: u32, to: u32, maxLine: u32, shape: u32, base: u32, out: u32): u32 {
  const length = load<u32>(shape);
  const vectors = (length + wide - 1) / wide;
  const shape0 = v128.load(shape, classesAt);
  const shape1 = v128.load(shape, classesAt + 16);
  const shape2 = v128.load(shape, classesAt + 32);
  const mask0 = v128.load(shape, masksAt);
  const mask1 = v128.load(shape, masksAt + 16);
  const mask2 = v128.load(shape, masksAt + 32);
  let at = from;
  let place = out;
  const feeds = i8x16.splat(lineFeed);
  const tabs = i8x16.splat(tab);
  const printable = i8x16.splat(0x20);
  let special = i8x16.splat(0);
  let goesOn: u32 = 1;
  while (at + length <= to) {
    if (
      !fits(at, shape0, mask0) ||
      (vectors > 1 && !fits(at + 16, shape1, mask1)) ||
      (vectors > 2 && !fits(at + 32, shape2, mask2))
    ) {
      goesOn = 0;
      break;
    }
    let end = to;
    for (let next = at + length; next < to; next += wide) {
      const bytes = v128.load(next);
      const ends = i8x16.eq(bytes, feeds);
      // What is above 0x7f counts as below zero.
      const low = i8x16.lt_s(bytes, printable);
      special = v128.or(special, v128.andnot(low, v128.or(ends, i8x16.eq(bytes, tabs))));
      const found = i8x16.bitmask(ends);
      if (found !== 0) {
        end = next + ctz(found);
        break;
      }
    }
    if (end >= to) break;
    if (end - at > maxLine) {
      goesOn = 0;
      break;
    }
    store<u32>(place, base + at);
    place += 4;
    at = end + 1;
  }
  store<u32>(place, base + at);
  store<u32>(place, goesOn, 4);
  store<u32>(place, <u32>v128.any_true(special), 8);
  return (place - out) / 4;
}
