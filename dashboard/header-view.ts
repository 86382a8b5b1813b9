import type { DeliveryStatus, Summary } from "./api.ts"
import { element, part, setText } from "./dom.ts"
import type { Connection } from "./connection.ts"

const STATUSES: readonly DeliveryStatus[] = ["waiting", "running", "retrying", "done", "dead"]
const DATABASES = {
  embedded: { word: "embedded database", note: "For development: committed data may be lost when the power fails." },
  server: { word: "Postgres server", note: "" },
} as const
const CONNECTIONS: Readonly<Record<Connection, string>> = {
  connecting: "connecting",
  live: "live",
  reconnecting: "reconnecting",
  offline: "offline",
  stopped: "not listening",
}

/** The head of the page: whose signals, on what database, how many, and whether the page is live. */
export class HeaderView {
  readonly #tenant = part("tenant", HTMLElement)
  readonly #database = part("database", HTMLElement)
  readonly #connection = part("connection", HTMLElement)
  readonly #counters = part("counters", HTMLElement)
  readonly #values = new Map<string, HTMLElement>()

  showConnection(connection: Connection): void {
    this.#connection.dataset["state"] = connection
    setText(this.#connection, CONNECTIONS[connection])
  }

  showSummary({ tenant, database, signals, duplicates, deliveries }: Summary): void {
    setText(this.#tenant, tenant)
    document.title = `${tenant} · FleetPrompt`
    setText(this.#database, DATABASES[database].word)
    this.#database.title = DATABASES[database].note
    this.#showCount("signals", signals)
    if (duplicates !== undefined) this.#showCount("duplicates", duplicates)
    for (const status of STATUSES) this.#showCount(status, deliveries[status])
  }

  #showCount(name: string, count: number): void {
    const value = this.#values.get(name) ?? this.#addCounter(name)
    setText(value, count.toLocaleString())
    value.parentElement?.classList.toggle("zero", count === 0)
  }

  #addCounter(name: string): HTMLElement {
    const value = element("dd", {})
    this.#counters.append(element("div", { class: `counter ${name}` }, element("dt", {}, name), value))
    this.#values.set(name, value)
    return value
  }
}
