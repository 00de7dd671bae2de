import type { ChangeDraft, ChangeKind, ChangeKinds } from "../../core/change.js";

/** Notes what becomes of records of one kind. */
export function noteIn<K extends ChangeKind>(noted: ChangeDraft[], kind: K) {
  return (id: string, value: ChangeKinds[K] | null): void => {
    noted.push({ kind, id, value } as ChangeDraft);
  };
}

/** Insert, update and delete of one table; each is noted. */
export function rows<T extends { readonly id: string }>(
  check: (name: string) => void,
  name: string,
  table: Map<string, T>,
  note: (id: string, row: T | null) => void,
) {
  return {
    insert: async (row: T): Promise<void> => {
      check(`${name}.insert`);
      if (table.has(row.id)) throw new Error(`${row.id} is there already`);
      table.set(row.id, row);
      note(row.id, row);
    },
    update: async (row: T): Promise<void> => {
      check(`${name}.update`);
      if (!table.has(row.id)) throw new Error(`${row.id} is not there`);
      table.set(row.id, row);
      note(row.id, row);
    },
    delete: async (id: string): Promise<void> => {
      check(`${name}.delete`);
      table.delete(id);
      note(id, null);
    },
  };
}
