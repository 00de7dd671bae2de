import type { Holder } from "../../core/client-key.js";
import type { FairRoom } from "../../core/fair-room.js";

/** Nearly all requests and replies are shorter, those of agents at work as well. */
export const SMALL_BODY_BYTES = 64 * 1024;
/**
 * So many times what is left free somebody may hold who takes room for a small body, and only as much as is left free for
 * a large one. So whoever holds all that they may of large ones, such as replies that come slowly, can still make small
 * calls; and beside both there is room for somebody else's largest.
 */
const SMALL_TIMES_FREE = 1.5;

/**
 * And so many times what is left free who collects replies that may as well go on as they come. They are collected only so
 * that a bad one can be tried elsewhere, for which a fifth of the room is enough for one key.
 */
const PASSABLE_TIMES_FREE = 0.25;

/** Takes room for a piece of a body, of which there are `bodyBytes` in all as far as is known; false if there is none. */
export function mayTakePiece(
  room: FairRoom,
  holder: Holder,
  pieceBytes: number,
  bodyBytes: number,
): boolean {
  return bodyBytes <= SMALL_BODY_BYTES
    ? room.mayTake(holder, pieceBytes, SMALL_TIMES_FREE)
    : room.mayTake(holder, pieceBytes);
}

/** As `mayTakePiece`, of a reply that goes on as it comes where there is no room for it. */
export function mayTakePassable(
  room: FairRoom,
  holder: Holder,
  pieceBytes: number,
  bodyBytes: number,
): boolean {
  return bodyBytes <= SMALL_BODY_BYTES
    ? mayTakePiece(room, holder, pieceBytes, bodyBytes)
    : room.mayTake(holder, pieceBytes, PASSABLE_TIMES_FREE);
}
