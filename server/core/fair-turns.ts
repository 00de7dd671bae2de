import { Chain, type Link } from "./chain.js";
import type { Holder } from "./client-key.js";

/** A user for whom something waits. The chains of users and of keys are in the order of their turns. */
interface User<T> extends Link<User<T>> {
  readonly id: string;
  readonly keys: Chain<Key<T>>;
  /** Things that wait, of all the user's keys. */
  size: number;
}

interface Key<T> extends Link<Key<T>> {
  readonly holder: Holder;
  readonly user: User<T>;
  readonly places: Chain<Place<T>>;
  size: number;
}

/** Where a thing waits. */
export interface Place<T> extends Link<Place<T>> {
  readonly thing: T;
  readonly key: Key<T>;
  isLeft: boolean;
}

/** Of none of a user's own. */
const NO_KEY = { id: "" };

function anyMay(): boolean {
  return true;
}

/** Things that wait for their turn. Turns go round between users, and those of a user between their client keys. */
export class FairTurns<T> {
  readonly #usersById = new Map<string, User<T>>();
  readonly #keysById = new Map<string, Key<T>>();
  readonly #users = new Chain<User<T>>();
  #size = 0;

  /** Things that wait, of all users. */
  get size(): number {
    return this.#size;
  }

  /** Adds a thing behind those of the same client key. */
  add(holder: Holder, thing: T): Place<T> {
    const key = this.#keysById.get(holder.clientKey.id) ?? this.#beginKey(holder);
    const place: Place<T> = { thing, key, isLeft: false, ahead: undefined, behind: undefined };
    key.places.add(place);
    key.size++;
    key.user.size++;
    this.#size++;
    return place;
  }

  /**
   * Takes out the thing whose turn is next.
   * @param mayGo says of a client key whether it is let go on now; the others keep their turn.
   */
  next(mayGo: (holder: Holder) => boolean = anyMay): T | undefined {
    const key = this.#nextKey(mayGo);
    const place = key?.places.first;
    if (key === undefined || place === undefined) return undefined;
    this.#users.moveToEnd(key.user);
    key.user.keys.moveToEnd(key);
    this.leave(place);
    return place.thing;
  }

  /** Takes a thing out; false when it was out already. */
  leave(place: Place<T>): boolean {
    if (place.isLeft) return false;
    place.isLeft = true;
    const { key } = place;
    const { user } = key;
    key.places.delete(place);
    this.#size--;
    if (--key.size === 0) {
      user.keys.delete(key);
      this.#keysById.delete(key.holder.clientKey.id);
    }
    if (--user.size === 0) {
      this.#users.delete(user);
      this.#usersById.delete(user.id);
    }
    return true;
  }

  /**
   * Takes out what gives way to a newcomer where nothing more may wait: the newest thing, which has waited least, of the
   * user who has most, provided that user still has at least as many as the newcomer's user then. Otherwise one of
   * another client key of the newcomer's own user, by the same rule. Undefined where nothing gives way.
   */
  giveWay({ ownerId, clientKey }: Holder): T | undefined {
    const own = this.#usersById.get(ownerId);
    const crowd = largest(this.#users, this.#size, (own?.size ?? 0) + 2);
    const user = crowd ?? own;
    if (user === undefined) return undefined;
    const ofKey = this.#keysById.get(clientKey.id)?.size ?? 0;
    const key = largest(user.keys, user.size, crowd === undefined ? ofKey + 2 : 1);
    const newest = key?.places.last;
    if (newest !== undefined) this.leave(newest);
    return newest?.thing;
  }

  #nextKey(mayGo: (holder: Holder) => boolean): Key<T> | undefined {
    for (let user = this.#users.first; user !== undefined; user = user.behind) {
      // Where a client key that has nothing may not, the thousands that such a user may have need not be asked for.
      if (!mayGo({ ownerId: user.id, clientKey: NO_KEY })) continue;
      for (let key = user.keys.first; key !== undefined; key = key.behind) {
        if (mayGo(key.holder)) return key;
      }
    }
    return undefined;
  }

  #beginKey(holder: Holder): Key<T> {
    const { ownerId, clientKey } = holder;
    const user = this.#usersById.get(ownerId) ?? this.#beginUser(ownerId);
    const links = { ahead: undefined, behind: undefined };
    const key: Key<T> = { holder, user, places: new Chain(), size: 0, ...links };
    user.keys.add(key);
    this.#keysById.set(clientKey.id, key);
    return key;
  }

  #beginUser(id: string): User<T> {
    const links = { ahead: undefined, behind: undefined };
    const user: User<T> = { id, keys: new Chain(), size: 0, ...links };
    this.#users.add(user);
    this.#usersById.set(id, user);
    return user;
  }
}

/** Whoever has most waiting, if that is at least `atLeast`; of several the one whose turn is last. `total`: what waits in the whole chain. */
function largest<V extends Link<V> & { readonly size: number }>(
  chain: Chain<V>,
  total: number,
  atLeast: number,
): V | undefined {
  // Each has at least one. Where that leaves too few for anybody to have enough, nobody needs to be looked at.
  if (total - chain.length + 1 < atLeast) return undefined;
  let most = atLeast;
  let found: V | undefined;
  for (let each = chain.first; each !== undefined; each = each.behind) {
    if (each.size < most) continue;
    most = each.size;
    found = each;
  }
  return found;
}
