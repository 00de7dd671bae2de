import type { MessageInitShape } from "@bufbuild/protobuf";
import {
  type OverviewSchema,
  WatchOverviewRequest_Section as Section,
} from "../../../proto/gen/latchkey/v1/usage_pb.js";

type Overview = MessageInitShape<typeof OverviewSchema>;

/** The fields of each section; a field that is in none is always sent. */
const FIELDS: Readonly<Record<Section, readonly string[]>> = {
  [Section.UNSPECIFIED]: [],
  [Section.GAUGES]: ["gauges", "limits"],
  [Section.HISTORY]: ["history"],
  [Section.POOL]: ["pool", "nextCooldown"],
  [Section.PROVIDERS]: ["providers", "providerCount"],
  [Section.TOP]: ["topClientKeys", "topModels", "topUsers"],
  [Section.ERRORS]: ["errors", "lastErrorSeq", "errorsGap"],
  [Section.SPEND]: ["spend"],
};

/** The part of an overview that a watcher asked for; no section means all. */
export function onlySections(overview: Overview, sections: readonly Section[]): Overview {
  if (sections.length === 0) return overview;
  const left = new Set(sections.flatMap((section) => FIELDS[section]));
  const sectioned = new Set(Object.values(FIELDS).flat());
  const kept = Object.entries(overview).filter(([name]) => left.has(name) || !sectioned.has(name));
  return Object.fromEntries(kept);
}
