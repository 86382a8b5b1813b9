import { randomBytes } from "node:crypto"

/** A secret that is planted somewhere and must come out nowhere. */
export interface Planted {
  /** What it is, for whoever reads a finding. */
  readonly name: string
  readonly text: string
  /** A part of it that no escaping changes, so that a piece of the secret is found as well. */
  readonly core: string
}

/** Something that was kept or told, and where. */
export interface Told {
  readonly where: string
  readonly text: string
}

/** A secret where none may be. */
export interface Leak {
  readonly secret: string
  readonly form: string
  readonly where: string
  /** What stands around it. */
  readonly around: string
}

const CORE_BYTES = 15
const AROUND = 60

/** A secret of its own, with characters that each coding writes in another way. */
export function plant(name: string, odd = `+/=&"'\\ ü%`): Planted {
  const core = `q${randomBytes(CORE_BYTES).toString("hex")}z`
  return { name, core, text: `${core}${odd}` }
}

/** How a secret may be written. */
function formsOf({ text, core }: Planted): ReadonlyMap<string, string> {
  const json = JSON.stringify(text).slice(1, -1)
  const forms = [
    ["plain", text],
    ["a part", core],
    ["JSON", json],
    ["JSON within JSON", JSON.stringify(json).slice(1, -1)],
    ["URL", encodeURIComponent(text)],
    ["form", new URLSearchParams({ "": text }).toString().slice(1)],
    ...[text, core].flatMap((part) => [
      ["hex", Buffer.from(part).toString("hex")],
      ["HEX", Buffer.from(part).toString("hex").toUpperCase()],
      ...[0, 1, 2].flatMap((before) => base64Forms(part, before)),
    ]),
  ] as const
  // Of two forms that look the same one is enough.
  return new Map(forms.map(([form, written]) => [written ?? "", form ?? ""]))
}

/** Base64 of a part, wherever it begins in what was encoded, without the characters that its neighbours share. */
function base64Forms(part: string, before: number): readonly (readonly [string, string])[] {
  const bytes = Buffer.concat([Buffer.alloc(before), Buffer.from(part)])
  const encoded = bytes.toString("base64").replaceAll("=", "")
  const whole = encoded.slice(before === 0 ? 0 : before + 1, bytes.length % 3 === 0 ? undefined : -1)
  return [
    ["base64", whole],
    ["base64url", whole.replaceAll("+", "-").replaceAll("/", "_")],
  ]
}

/** Finds every planted secret in what was kept or told, in each form. */
export function scan(told: readonly Told[], secrets: readonly Planted[]): readonly Leak[] {
  return secrets.flatMap((secret) =>
    [...formsOf(secret)].flatMap(([written, form]) =>
      told.flatMap(({ where, text }) => {
        const at = text.indexOf(written)
        if (at < 0) return []
        return [
          {
            secret: secret.name,
            form,
            where,
            around: text.slice(Math.max(0, at - AROUND), at + written.length + AROUND),
          },
        ]
      }),
    ),
  )
}
