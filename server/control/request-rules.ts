import { type DescField, type DescMessage, getOption, type Message } from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import {
  field as fieldOption,
  type FieldRules,
  Ignore,
  oneof as oneofOption,
} from "../../proto/gen/buf/validate/validate_pb.js";
import { assert } from "../core/assert.js";
import { type Broken, type Check, checksOf } from "./value-rules.js";

/** A rule that a request breaks. `field`: its path, as in `limits.budgets[0].period`. */
export interface Violation extends Broken {
  readonly field: string;
}

type Report = (broken: Broken, field: string) => void;

/** Looks at a message, whose fields' paths begin with `path`. */
type Look = (message: ReflectMessage, path: string, report: Report) => void;

const REQUIRED: Broken = { rule: "required", message: "value is required" };
const REQUIRED_ONEOF: Broken = {
  rule: "required",
  message: "exactly one field is required in oneof",
};

/**
 * Holds messages against the protovalidate rules that stand beside their fields in the proto. Those are a dozen kinds,
 * and protovalidate itself, which can do all and evaluates expressions too, would take 5 MiB of every server's memory.
 */
export class RequestRules {
  /** What to look at in messages of a type, once one has come. */
  readonly #looks = new Map<DescMessage, readonly Look[]>();

  /** All that is wrong with a message, by its fields in their order. Throws for a rule that is not known. */
  violations(schema: DescMessage, message: Message): readonly Violation[] {
    const violations: Violation[] = [];
    this.#look(schema, reflect(schema, message), "", ({ rule, message: text }, field) => {
      violations.push({ field, rule, message: text });
    });
    return violations;
  }

  #look(schema: DescMessage, message: ReflectMessage, path: string, report: Report): void {
    for (const look of this.#looksAt(schema)) look(message, path, report);
  }

  #looksAt(schema: DescMessage): readonly Look[] {
    const known = this.#looks.get(schema);
    if (known !== undefined) return known;
    const looks = [
      ...schema.fields.map((field) => this.#lookAt(field)),
      ...schema.oneofs
        .filter((oneof) => getOption(oneof, oneofOption).required)
        .map(({ name, fields }): Look => {
          return (message, path, report) => {
            if (!fields.some((field) => message.isSet(field))) report(REQUIRED_ONEOF, path + name);
          };
        }),
    ];
    this.#looks.set(schema, looks);
    return looks;
  }

  #lookAt(field: DescField): Look {
    const rules = getOption(field, fieldOption);
    const lookInside = this.#lookInside(field, rules);
    // What is not in the message is then a zero or an empty list, and says so.
    const hasAlwaysValue = field.presence === FeatureSet_FieldPresence.IMPLICIT;
    const isAlwaysLookedAt = hasAlwaysValue && rules.ignore === Ignore.UNSPECIFIED;
    return (message, path, report) => {
      const isSet = message.isSet(field);
      if (rules.required && !isSet) report(REQUIRED, path + field.name);
      else if (isSet || isAlwaysLookedAt) lookInside(message, path + field.name, report);
    };
  }

  /** What to look at in a field that has a value; `path` is its own. */
  #lookInside(field: DescField, rules: FieldRules): Look {
    const { ignore } = rules;
    assert(ignore !== Ignore.ALWAYS, `rules of ${field.name} that hold never are not written`);
    switch (field.fieldKind) {
      case "message":
        assertNoRules(field, rules);
        return (message, path, report) => {
          this.#look(field.message, message.get(field), `${path}.`, report);
        };
      case "list":
        return this.#lookAtList(field, rules);
      case "map":
        assertNoRules(field, rules);
        return () => undefined;
      default: {
        const checks = checksOf(rules, field.enum);
        return (message, path, report) => {
          apply(checks, message.get(field), path, report);
        };
      }
    }
  }

  #lookAtList(field: DescField & { fieldKind: "list" }, rules: FieldRules): Look {
    const checks = checksOf(rules);
    const itemRules = rules.type.case === "repeated" ? rules.type.value.items : undefined;
    assert(
      itemRules === undefined || itemRules.ignore === Ignore.UNSPECIFIED,
      `no item of ${field.name} is left out`,
    );
    const itemChecks = itemRules === undefined ? [] : checksOf(itemRules, field.enum);
    return (message, path, report) => {
      const items = [...message.get(field)];
      apply(checks, items, path, report);
      for (const [index, item] of items.entries()) {
        const place = `${path}[${index}]`;
        if (field.listKind === "message") {
          this.#look(field.message, item as ReflectMessage, `${place}.`, report);
        } else apply(itemChecks, item, place, report);
      }
    };
  }
}

function apply(checks: readonly Check[], value: unknown, path: string, report: Report): void {
  for (const check of checks) {
    const broken = check(value);
    if (broken !== undefined) report(broken, path);
  }
}

function assertNoRules(field: DescField, { type }: FieldRules): void {
  assert(type.case === undefined, `${field.name} has no rules but its fields' own`);
}
