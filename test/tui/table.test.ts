import assert from "node:assert/strict";
import { test } from "node:test";
import { dispatch, Keymap } from "../../tui/term/keymap.js";
import { VirtualTable, type TableOptions } from "../../tui/widgets/table.js";
import { type Column, placeColumns } from "../../tui/widgets/table-columns.js";
import { openTui, type TestTui } from "./harness.js";

interface Row {
  readonly id: string;
  readonly name: string;
  readonly rate: number | null;
}

const columns: readonly Column<Row>[] = [
  {
    id: "name",
    title: "NAME",
    width: { min: 10, share: 1, max: 24 },
    cell: (row) => row.name,
    sortKey: (row) => row.name,
  },
  {
    id: "rate",
    title: "RATE",
    width: 8,
    align: "right",
    cell: (row) => String(row.rate ?? "-"),
    sortKey: (row) => row.rate,
  },
  { id: "note", title: "NOTE", width: 30, priority: 2, cell: () => "a note" },
  {
    id: "state",
    title: "STATE",
    width: 8,
    priority: 1,
    cell: () => ({ text: "● ok", style: "ok" }),
  },
];

function rowsOf(count: number): Row[] {
  return Array.from({ length: count }, (_, i) => ({ id: `id-${i}`, name: `row ${i}`, rate: i }));
}

async function openTable(
  rows: readonly Row[],
  options: Partial<TableOptions<Row>> = {},
  size: { readonly cols: number; readonly rows: number } = { cols: 80, rows: 20 },
): Promise<{ tui: TestTui; table: VirtualTable<Row> }> {
  const table = new VirtualTable<Row>({
    columns,
    rowId: (row) => row.id,
    emptyText: "no client keys, press n",
    ...options,
  });
  table.update({ rows, state: { kind: "ready" } });
  const keymap = new Keymap(table.bindings());
  const tui = await openTui({
    ...size,
    mount: (terminal) => {
      terminal.addLayer(table, { opaque: true });
      terminal.onInput((event) => {
        if (table.handle(event)) return true;
        return event.type === "key" && dispatch([keymap], event).kind === "ran";
      });
    },
  });
  return { tui, table };
}

test("without rows the table says which key helps", async () => {
  const { tui, table } = await openTable([]);
  assert.match(tui.text(), /no client keys, press n/);
  await tui.press("j", "k", "G", "<enter>");
  assert.equal(table.selected, undefined);
  tui.close();
});

test("loading, errors, refusals and stale rows are told apart", async () => {
  const { tui, table } = await openTable([]);
  const show = async (): Promise<string> => {
    tui.terminal.requestFrame();
    await tui.settle();
    return tui.text();
  };
  table.update({ state: { kind: "loading" } });
  assert.match(await show(), /loading/);
  table.update({ state: { kind: "error", message: "gw-1 does not answer, press r" } });
  assert.match(await show(), /✖ gw-1 does not answer, press r/);
  table.update({ state: { kind: "denied", message: "needs the role OPERATOR" } });
  assert.match(await show(), /▲ needs the role OPERATOR/);
  table.update({ rows: rowsOf(2), state: { kind: "stale" } });
  assert.match(await show(), /row 1/);
  const at = tui.find("row 1");
  assert.ok(at !== undefined && tui.cell(at.x, at.y).fg === 247, "stale rows are dimmed");
  tui.close();
});

test("one row is selected and opened", async () => {
  const opened: string[] = [];
  const { tui } = await openTable(rowsOf(1), { onOpen: (row) => opened.push(row.id) });
  await tui.press("j", "<down>", "<enter>");
  assert.deepEqual(opened, ["id-0"]);
  assert.match(tui.row(1), /^▸ row 0/);
  tui.close();
});

test("ten thousand rows: only the visible ones are asked for their cells", async () => {
  let asked = 0;
  const counting = columns.map((column) => ({
    ...column,
    cell: (row: Row) => {
      asked += 1;
      return column.cell(row);
    },
  }));
  const { tui, table } = await openTable(rowsOf(10_000), { columns: counting });
  await tui.press("G");
  assert.equal(table.selectedPlace, 9999);
  assert.match(tui.row(19), /row 9999/);
  assert.equal(table.positionLabel(), "9982-10000 of 10000");
  asked = 0;
  await tui.press("k");
  assert.ok(asked <= 19 * columns.length * 2, `${asked} cells for one key`);
  await tui.press("g");
  assert.match(tui.row(1), /row 0/);
  tui.close();
});

test("pages overlap by one row and stop at both ends", async () => {
  const { tui, table } = await openTable(rowsOf(100));
  await tui.press("<C-f>");
  assert.equal(table.selectedPlace, 18);
  await tui.press("<pgdn>", "<pgup>", "<C-b>", "<C-b>");
  assert.equal(table.selectedPlace, 0);
  await tui.press("<end>", "<home>", "<down>", "j", "k");
  assert.equal(table.selectedPlace, 1);
  tui.close();
});

test("columns line up under any text, wide characters and clusters included", async () => {
  const names = [
    "ci-bot",
    "数据团队",
    "智谱 zhipu 智谱 zhipu 智谱",
    "é́́ü",
    "👨‍👩‍👧 family",
    "x".repeat(60),
  ];
  const rows = names.map((name, i) => ({ id: String(i), name, rate: 1234 }));
  const { tui } = await openTable(rows);
  const rights = names.map((_, y) => {
    const cells = Array.from({ length: 80 }, (__, x) => tui.cell(x, y + 1).char);
    return cells.indexOf("1");
  });
  assert.equal(new Set(rights).size, 1, `columns of the rate: ${rights.join(" ")}`);
  assert.equal(tui.row(1).slice(0, 10), "▸ ci-bot  ".slice(0, 10));
  tui.close();
});

test("columns leave by priority when it gets narrow, and none is squeezed", async () => {
  const wide = await openTable(rowsOf(3));
  assert.match(wide.tui.row(0), /NAME +RATE NOTE +STATE/);
  await wide.tui.resize(62, 20);
  assert.match(wide.tui.row(0), /NAME +RATE NOTE +STATE/);
  const narrow = columns.map((column) =>
    column.id === "note" ? { ...column, width: 40 } : column,
  );
  const { tui } = await openTable(rowsOf(3), { columns: narrow }, { cols: 62, rows: 20 });
  assert.match(tui.row(0), /NAME +RATE STATE/);
  assert.doesNotMatch(tui.row(0), /NOTE/);
  wide.tui.close();
  tui.close();
});

test("a wider terminal gives a name more room before it gives further columns any", () => {
  const wide: readonly Column<Row>[] = [
    { id: "name", title: "NAME", width: { min: 12, share: 3, max: 64 }, cell: (row) => row.name },
    ...Array.from({ length: 14 }, (_, i) => ({
      id: `c${i}`,
      title: `C${i}`,
      width: 8,
      priority: i + 1,
      cell: () => "",
    })),
  ];
  for (let width = 76; width <= 300; width += 1) {
    const placed = placeColumns(wide, width);
    const name = placed[0]?.width ?? 0;
    const promised = 12 + Math.floor((width - 76) * 0.3);
    assert.ok(name >= Math.min(64, promised), `${name} cells of ${width}`);
    const last = placed.at(-1);
    assert.ok(last !== undefined && last.x + last.width <= width);
  }
});

test("z shows the columns that did not fit, beside the first one", async () => {
  const narrow = columns.map((column) =>
    column.id === "note" ? { ...column, width: 40 } : column,
  );
  const { tui } = await openTable(rowsOf(3), { columns: narrow }, { cols: 62, rows: 20 });
  const before = tui.row(0);
  await tui.press("z");
  assert.match(tui.row(0), /^ {2}NAME +NOTE/);
  await tui.press("z");
  assert.equal(tui.row(0), before);
  tui.close();
});

test("sorting shows its arrow, goes round the columns, and puts missing values last", async () => {
  const rows: Row[] = [
    { id: "a", name: "b", rate: 2 },
    { id: "b", name: "a", rate: null },
    { id: "c", name: "c", rate: 10 },
  ];
  const { tui, table } = await openTable(rows);
  await tui.press("s");
  assert.match(tui.row(0), /NAME ▲/);
  assert.deepEqual(
    table.rows.map((row) => row.id),
    ["b", "a", "c"],
  );
  await tui.press("s", "S");
  assert.match(tui.row(0), /RATE ▼/);
  assert.deepEqual(
    table.rows.map((row) => row.id),
    ["c", "a", "b"],
  );
  assert.equal(table.sortLabel({ sortUp: "^", sortDown: "v" }), "sort:rate v");
  tui.close();
});

test("a table sorted by the server only asks for the order", async () => {
  const asked: string[] = [];
  const { tui, table } = await openTable(rowsOf(3), {
    onSort: (sort) => asked.push(`${sort.column} ${String(sort.descending)}`),
  });
  await tui.press("s", "S");
  assert.deepEqual(asked, ["name false", "name true"]);
  assert.equal(table.rows[0]?.id, "id-0");
  tui.close();
});

test("the selection and the marks stay on their rows while others come and go", async () => {
  const { tui, table } = await openTable(rowsOf(50), { markable: true });
  await tui.press("j", "j", "m");
  assert.equal(table.selected?.id, "id-3");
  table.update({ rows: [{ id: "new", name: "new", rate: 0 }, ...rowsOf(50).slice(1)] });
  assert.equal(table.selected?.id, "id-3");
  assert.deepEqual(
    table.marked.map((row) => row.id),
    ["id-2"],
  );
  table.update({ rows: rowsOf(2) });
  assert.equal(table.selected?.id, "id-1", "the nearest row when it is gone");
  assert.deepEqual(table.marked, []);
  await tui.press("M");
  tui.close();
});

test("a live list follows its top until one moves away from it", async () => {
  const { tui, table } = await openTable(rowsOf(5), { followTop: true });
  const newer = (id: string): readonly Row[] => [{ id, name: id, rate: 0 }, ...table.rows];
  table.update({ rows: newer("n1") });
  assert.equal(table.selected?.id, "n1");
  await tui.press("j");
  const held = table.selected?.id;
  table.update({ rows: newer("n2") });
  assert.equal(table.selected?.id, held);
  tui.close();
});

test("near where the rows here end more are asked for, and not where the list ends", async () => {
  const asked: number[] = [];
  const onNearEdge = (place: number): boolean => asked.push(place) > 0;
  const { tui, table } = await openTable(rowsOf(60), { onNearEdge });
  await tui.press("j", "G");
  assert.deepEqual(asked, [], "these are all");
  table.update({ total: 500, rows: rowsOf(61) });
  await tui.press("g", "j");
  assert.deepEqual(asked, []);
  await tui.press("<pgdn>", "<pgdn>", "<pgdn>");
  assert.deepEqual(asked, [55]);
  table.update({ first: 439, total: 500, rows: rowsOf(61) });
  asked.length = 0;
  await tui.press("G");
  assert.deepEqual([asked, table.selectedPlace], [[], 499]);
  await tui.press("<pgup>", "<pgup>", "<pgup>");
  assert.deepEqual(asked, [445]);
  tui.close();
});

test("the last rows have their places in the list without those before them", async () => {
  const asked: number[] = [];
  const { tui, table } = await openTable(rowsOf(60), {
    onNearEdge: (place) => asked.push(place) > 0,
  });
  table.update({ total: 10_000 });
  await tui.press("G");
  assert.match(table.positionLabel(), /^42-60 of 10000, going to 10000$/);
  const last = rowsOf(10_000).slice(-200);
  table.update({ first: 9800, rows: last });
  await tui.press("k", "j");
  assert.deepEqual([table.selected?.id, table.selectedPlace], ["id-9999", 9999]);
  assert.equal(table.positionLabel(), "9982-10000 of 10000");
  assert.match(tui.row(19), /row 9999/);
  await tui.press("g");
  assert.equal(asked.at(-1), 0);
  table.update({ first: 0, rows: rowsOf(200) });
  assert.deepEqual([table.selected?.id, table.positionLabel()], ["id-0", "1-19 of 10000"]);
  tui.close();
});

test("a row that will not come is not waited for", async () => {
  const { tui, table } = await openTable(rowsOf(60), { onNearEdge: () => false });
  table.update({ total: 50_000 });
  await tui.press("G");
  assert.equal(table.positionLabel(), "42-60 of 50000");
  tui.close();
});

test("the end of a long list is reached although most of its rows are still to come", async () => {
  const wanted: number[] = [];
  const onNearEdge = (place: number): boolean => wanted.push(place) > 0;
  const { tui, table } = await openTable(rowsOf(60), { onNearEdge });
  table.update({ total: 500 });
  await tui.press("G");
  assert.equal(table.selectedPlace, 59, "as far as the rows go");
  assert.equal(wanted.at(-1), 499);
  table.update({ rows: rowsOf(260) });
  assert.deepEqual([table.selectedPlace, wanted.at(-1)], [259, 499]);
  table.update({ rows: rowsOf(500) });
  assert.equal(table.selectedPlace, 499);
  tui.close();
});

test("keys that outrun the fetching are not lost, and a key back ends the way there", async () => {
  const { tui, table } = await openTable(rowsOf(60));
  table.update({ total: 500 });
  await tui.type("j".repeat(150));
  table.update({ rows: rowsOf(260) });
  assert.equal(table.selectedPlace, 150);
  await tui.press("G", "k");
  table.update({ rows: rowsOf(500) });
  assert.equal(table.selectedPlace, 258);
  tui.close();
});

test("clicks select and the wheel moves", async () => {
  const { tui, table } = await openTable(rowsOf(50));
  tui.input.feed("\u001b[<0;5;4M\u001b[<0;5;4m");
  assert.equal(table.selectedPlace, 2);
  tui.input.feed("\u001b[<65;5;4M\u001b[<65;5;4M");
  assert.equal(table.selectedPlace, 8);
  tui.close();
});

test("the selected row is marked by a symbol as well as by colour", async () => {
  const { tui } = await openTable(rowsOf(3), {}, { cols: 80, rows: 20 });
  assert.equal(tui.cell(0, 1).char, "▸");
  assert.equal(tui.cell(30, 1).bg, 24);
  assert.equal(tui.cell(30, 2).bg, -1);
  tui.close();
});
