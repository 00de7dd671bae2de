// Written by scripts/generate.mjs. DO NOT EDIT.

/** Digest of the API's definition without comments: equal on two sides that speak the same API. */
export const PROTO_REVISION = "d46b3be91222";
