/**
 * What a unit of a lane holds, as one number: its kind, and what is to be known beside it.
 */

/** What a unit holds. */
export const textUnit = 0;
/** A record of its own: nothing goes on with it, but for the units of a trace. */
export const ownUnit = 1;
/** A record of its own only where no trace is open. */
export const doubtfulUnit = 2;
/** The kind without what is beside it. */
export const kindMask = 3;
/** Beside the kind: it is over the limit; its own line ends are no ends of lines; it goes on with the open record in any case. */
export const cutUnit = 4;
export const messageUnit = 8;
export const joinedUnit = 16;
