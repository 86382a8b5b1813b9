import fc from "fast-check"
import { createSignal, type Signal } from "../../src/signal/signal.ts"

const CORE = new Set([
  "specversion",
  "id",
  "source",
  "type",
  "time",
  "subject",
  "datacontenttype",
  "dataschema",
  "data",
])

/** Text that an attribute may hold: anything printable, in any script. */
export const attributeText: fc.Arbitrary<string> = fc
  .oneof(
    fc.string({ minLength: 1, maxLength: 30, unit: "grapheme" }),
    fc.constantFrom(" ", "%", "100%25", '"a" \\', "€😀"),
  )
  .filter((text) => !/\p{Cc}/u.test(text))

const segment = fc.stringMatching(/^[A-Za-z0-9_-]{1,8}$/)
const integer = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })

const extensions = fc.dictionary(
  fc.stringMatching(/^[a-z0-9]{1,12}$/).filter((name) => !CORE.has(name)),
  fc.oneof(attributeText, fc.constant(""), fc.boolean(), integer),
  { maxKeys: 4 },
)

const time = fc
  .tuple(
    fc.date({ min: new Date("0001-01-01T00:00:00Z"), max: new Date("9999-12-31T23:59:59Z"), noInvalidDate: true }),
    fc.constantFrom("", ".5", ".123456789"),
    fc.constantFrom("Z", "+05:30", "-11:00"),
  )
  .map(([date, fraction, zone]) => date.toISOString().replace(/\.\d+Z$/, fraction + zone))

/** JSON as `JSON.parse` gives it, without what no signal may hold. */
const json = fc
  .jsonValue({ maxDepth: 4 })
  .map((value): unknown => JSON.parse(JSON.stringify(value)))
  .filter((value) => !JSON.stringify(value).includes("\\u0000"))

const latin1 = fc.string({
  minLength: 1,
  unit: fc.integer({ min: 0xa0, max: 0xff }).map((code) => String.fromCharCode(code)),
})
const text = fc.string({ minLength: 1, unit: "grapheme" }).filter((value) => !value.includes("\u0000"))
const bytes = fc.uint8Array({ minLength: 1, maxLength: 40 }).map((array) => Buffer.from(array).toString("base64"))

const content = fc.oneof(
  fc.record({ data: json }),
  fc.record({
    data: json,
    datacontenttype: fc.constantFrom("application/json", "Application/Vnd.x+JSON; charset=UTF-8"),
  }),
  fc.record({
    data: text,
    datacontenttype: fc.constantFrom("text/plain", "application/xml", "text/csv; charset=utf-8"),
  }),
  fc.record({ data: latin1, datacontenttype: fc.constant('text/plain; charset="ISO-8859-1"') }),
  fc.record({ data_base64: bytes, datacontenttype: fc.constantFrom("image/png", "application/octet-stream") }),
  fc.record({ data_base64: bytes }),
)

/** Any valid signal: every kind of data, extensions of every type, attributes in any script. */
export const anySignal: fc.Arbitrary<Signal> = fc
  .tuple(
    fc.record(
      {
        id: attributeText,
        source: attributeText,
        type: fc.array(segment, { minLength: 1, maxLength: 4 }).map((segments) => segments.join(".")),
        time,
        subject: attributeText,
        dataschema: fc.constant("https://example.com/schema"),
      },
      { requiredKeys: ["id", "source", "type", "time"] },
    ),
    content,
    extensions,
  )
  .map(([attributes, data, more]) => createSignal({ ...more, ...attributes, ...data }))
