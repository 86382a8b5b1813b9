import { expect, test } from "vitest"
import type { Queryable } from "../src/store/database.ts"

/** Which JavaScript values every database gives and takes for which Postgres types. Part of `databaseContract`. */
export function databaseValuesContract(database: () => Queryable): void {
  async function read(expression: string, ...values: readonly unknown[]): Promise<unknown> {
    const [row] = await database().query<{ value: unknown }>(`select ${expression} as value`, values)
    return row?.value
  }

  test.each([
    ["'a'::text", "a"],
    ["'a'::varchar", "a"],
    ["'a'::name", "a"],
    ["1::int2", 1],
    ["(-2147483648)::int4", -2147483648],
    ["9007199254740991::int8", 9007199254740991],
    ["9007199254740992::int8", 9007199254740992n],
    ["(-9223372036854775808)::int8", -9223372036854775808n],
    ["1.5::float4", 1.5],
    ["1.5::float8", 1.5],
    ["'NaN'::float8", Number.NaN],
    ["'-Infinity'::float8", Number.NEGATIVE_INFINITY],
    ["12345678901234567890.123456789::numeric", "12345678901234567890.123456789"],
    ["count(*)", 1],
    ["true", true],
    ["false", false],
    ["null::text", null],
    ["null::jsonb", null],
    ["'null'::jsonb", null],
    [`'{"a": [1, {"b": "ü"}]}'::jsonb`, { a: [1, { b: "ü" }] }],
    [`'"text"'::json`, "text"],
    ["'01a2b3c4-0000-7000-8000-000000000000'::uuid", "01a2b3c4-0000-7000-8000-000000000000"],
    ["'2026-07-01 12:30:00.123+02'::timestamptz", new Date("2026-07-01T10:30:00.123Z")],
    ["'0099-01-01 00:00:00+00'::timestamptz", new Date("0099-01-01T00:00:00Z")],
    ["'12026-01-01 00:00:00.5+00'::timestamptz", new Date("+012026-01-01T00:00:00.500Z")],
    ["'0044-03-15 12:00:00+00 BC'::timestamptz", new Date("-000043-03-15T12:00:00Z")],
    ["'infinity'::timestamptz", Number.POSITIVE_INFINITY],
    ["'2026-07-01'::date", "2026-07-01"],
    ["'2026-07-01 12:30:00'::timestamp", "2026-07-01 12:30:00"],
    ["interval '1 day 2 hours'", "1 day 02:00:00"],
    [String.raw`'\x00ff'::bytea`, String.raw`\x00ff`],
    ["'12:30'::time", "12:30:00"],
    [`array['a', null, 'NULL', 'b "c" \\ , {}', '']`, ["a", null, "NULL", String.raw`b "c" \ , {}`, ""]],
    ["array[]::text[]", []],
    ["array[1, null, 3]", [1, null, 3]],
    ["array[1, 9007199254740992]::int8[]", [1, 9007199254740992n]],
    ["array[true, false]", [true, false]],
    ["array['01a2b3c4-0000-7000-8000-000000000000'::uuid]", ["01a2b3c4-0000-7000-8000-000000000000"]],
    [`array['{"a": 1}'::jsonb]`, [{ a: 1 }]],
    ["array['2026-07-01 12:30:00+00'::timestamptz]", [new Date("2026-07-01T12:30:00Z")]],
    [
      "array[array['a', 'b'], array['c', 'd']]",
      [
        ["a", "b"],
        ["c", "d"],
      ],
    ],
  ])("%s is read", async (expression, expected) => {
    expect(await read(expression)).toEqual(expected)
  })

  test.each([
    ["$1::text", "ü 🙂 ' \" \\ \n \u2028", undefined],
    ["$1::text", "", undefined],
    ["$1::int4", 7, undefined],
    ["$1::int4", "7", 7],
    ["$1::int8", 9007199254740993n, undefined],
    ["$1::float8", 0.1, undefined],
    ["$1::boolean", true, undefined],
    ["$1::boolean", false, undefined],
    ["$1::text", null, undefined],
    ["$1::text", undefined, null],
    ["$1::uuid", "01a2b3c4-0000-7000-8000-000000000000", undefined],
    ["$1::timestamptz", new Date("2026-07-01T12:30:00.123Z"), undefined],
    ["$1::timestamptz", "2026-07-01T12:30:00.123Z", new Date("2026-07-01T12:30:00.123Z")],
    ["$1::text::json", `{"a": [1, "$1"]}`, { a: [1, "$1"] }],
    ["$1::text::jsonb", `"\\ud83d\\ude42"`, "🙂"],
    ["$1::text[]", ["a", null, 'b "c" \\ , {}', "", "NULL"], undefined],
    ["$1::text[]", [], undefined],
    ["$1::int4[]", [1, 2], undefined],
    ["$1::int8[]", [1, 9007199254740993n], undefined],
  ])("%s is given %o", async (expression, given, expected) => {
    expect(await read(expression, given)).toEqual(expected === undefined ? given : expected)
  })

  test("a value that looks like SQL stays a value", async () => {
    expect(await read("$1::text", "'; drop table facts; --")).toBe("'; drop table facts; --")
  })

  test("a large value is read as it was given", async () => {
    const text = "0123456789".repeat(300_000)
    expect(await read("$1::text", text)).toBe(text)
  })

  test("json_to_recordset takes one parameter for many rows", async () => {
    const rows = [{ key: "a", value: 1 }, { key: "b" }]
    const read = await database().query(
      "select key, value from json_to_recordset($1::text::json) as row(key text, value integer)",
      [JSON.stringify(rows)],
    )
    expect(read).toEqual([
      { key: "a", value: 1 },
      { key: "b", value: null },
    ])
  })

  test.each([
    ["a NUL in text", "select $1::text", ["a\u0000b"], "22021"],
    ["a number that is none", "select $1::int4", ["one"], "22P02"],
    ["a uuid that is none", "select $1::uuid", ["one"], "22P02"],
    ["JSON that is none", "select $1::text::jsonb", ["{"], "22P02"],
    ["a missing parameter", "select $1::text", [], "08P01"],
  ])("%s is refused", async (_name, text, values, code) => {
    await expect(database().query(text, values)).rejects.toMatchObject({ code })
    expect(await read("1")).toBe(1)
  })
}
