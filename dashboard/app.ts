import { fetchSignals, fetchSummary, type Summary } from "./api.ts"
import { Announcer } from "./announcer.ts"
import type { Connection } from "./connection.ts"
import { DetailPanel } from "./detail-panel.ts"
import { DetailView } from "./detail-view.ts"
import { part } from "./dom.ts"
import { frameBatch } from "./frame.ts"
import { HeaderView } from "./header-view.ts"
import { Hold } from "./hold.ts"
import { bindKeys } from "./keyboard.ts"
import { KeysDialog } from "./keys-dialog.ts"
import type { News } from "./list-state.ts"
import { ListView } from "./list-view.ts"
import { LiveFeed } from "./live.ts"
import { addressOf, type Place, placeOf } from "./place.ts"
import { SignalList } from "./signal-list.ts"
import { SurroundingsView } from "./surroundings-view.ts"

/** The page: reads the place from the address, and wires list, detail, live feed and keys together. */
class App {
  readonly #rows = part("rows", HTMLTableSectionElement)
  readonly #filter = part("pattern", HTMLInputElement)
  readonly #header = new HeaderView()
  readonly #announcer = new Announcer(part("announcer", HTMLElement))
  readonly #listView = new ListView(this.#rows)
  readonly #hold = new Hold(part("rows-pane", HTMLElement), this.#rows, () => this.#list.release())
  readonly #requestRender = frameBatch(() => this.#render())
  readonly #list = new SignalList({
    isHeld: () => this.#hold.holding,
    onChange: () => this.#onListChange(),
    fetchPage: fetchSignals,
  })
  readonly #detail = new DetailPanel(
    new DetailView(part("detail", HTMLElement), part("detail-title", HTMLElement), part("detail-body", HTMLElement)),
  )
  readonly #surroundings = new SurroundingsView({
    showNew: () => this.#showNew(),
    togglePause: () => this.#togglePause(),
    loadOlder: () => void this.#list.loadOlder(),
    clearFilter: () => this.#navigate({ pattern: null, selected: this.#place.selected }),
  })
  readonly #keys = new KeysDialog()
  readonly #feed = new LiveFeed({
    onConnection: (connection) => this.#onConnection(connection),
    onOpen: () => {
      this.#catchUp()
      void this.#readSummary()
    },
    onReset: () => this.#catchUp(),
    onSignals: (rows) => this.#onNews({ kind: "arrived", rows }),
    onMoved: (changes) => this.#onNews({ kind: "moved", changes }),
    onSummary: (summary) => this.#onSummary(summary),
  })
  #place: Place = placeOf(new URL(location.href))
  #summary: Summary | undefined
  #connection: Connection = "connecting"
  #isRefused = false
  /** Whether the next list is the answer to a filter of the reader, to be announced. */
  #isAwaited = false

  start(): void {
    this.#bindPage()
    this.#showPattern()
    this.#showSelected()
    void this.#readSummary()
  }

  #bindPage(): void {
    addEventListener("popstate", () => this.#go(placeOf(new URL(location.href))))
    part("filter", HTMLFormElement).addEventListener("submit", (event) => {
      event.preventDefault()
      this.#applyFilter()
    })
    // The cross of a search box empties it and sends no submit.
    this.#filter.addEventListener("search", () => this.#applyFilter())
    part("close", HTMLButtonElement).addEventListener("click", () => this.#closeDetail())
    document.addEventListener("click", (event) => this.#followLink(event))
    addEventListener("pointerdown", () => document.body.classList.add("pointing"))
    addEventListener("keydown", () => document.body.classList.remove("pointing"))
    bindKeys({
      moveBy: (step) => this.#listView.focusBy(step),
      first: () => this.#listView.focusFirst(),
      last: () => this.#listView.focusLast(),
      focusFilter: () => this.#filter.select(),
      togglePause: () => this.#togglePause(),
      showHelp: () => this.#keys.open(),
      escape: () => this.#escape(),
      inRows: () => this.#listView.hasFocus,
    })
  }

  #applyFilter(): void {
    const pattern = this.#filter.value.trim()
    this.#navigate({ ...this.#place, pattern: pattern === "" ? null : pattern })
  }

  #navigate(place: Place): void {
    if (addressOf(place) !== addressOf(this.#place)) history.pushState(null, "", addressOf(place))
    this.#go(place)
  }

  #go(place: Place): void {
    const before = this.#place
    this.#place = place
    if (place.pattern !== before.pattern) {
      this.#isAwaited = true
      this.#showPattern()
    }
    if (place.selected !== before.selected) this.#showSelected()
  }

  #showPattern(): void {
    const { pattern } = this.#place
    this.#filter.value = pattern ?? ""
    this.#hold.toTop()
    this.#isRefused = false
    this.#list.reset(pattern)
    this.#feed.listen(pattern)
  }

  #onListChange(): void {
    this.#requestRender()
    const { problem, state } = this.#list
    const isRefused = problem !== undefined && problem.error.status >= 400 && problem.error.status < 500
    if (isRefused !== this.#isRefused) {
      // What the server refuses for the list it would refuse for the feed, again and again.
      this.#isRefused = isRefused
      if (isRefused) this.#feed.stop()
      else this.#feed.listen(this.#place.pattern)
    }
    if (this.#isAwaited && state.loaded) {
      this.#isAwaited = false
      this.#announcer.say(`${state.shown.length} signals shown`)
    }
  }

  #showSelected(): void {
    const { selected } = this.#place
    this.#listView.select(selected)
    this.#detail.open(selected, this.#list.state.shown.find(({ id }) => id === selected)?.type)
  }

  #closeDetail(): void {
    const { selected } = this.#place
    this.#navigate({ ...this.#place, selected: null })
    if (selected === null || !this.#listView.focus(selected)) this.#filter.focus()
  }

  /** A filter link stays on the page; a second click on the open signal goes to its detail. */
  #followLink(event: MouseEvent): void {
    if (event.ctrlKey || event.metaKey || event.shiftKey || !(event.target instanceof Element)) return
    const link = event.target.closest("a")
    if (!link) return
    if (link.dataset["pattern"] !== undefined) {
      event.preventDefault()
      this.#navigate(placeOf(new URL(link.href)))
    } else if (link.href === location.href) part("detail-title", HTMLElement).focus()
  }

  #escape(): void {
    if (document.activeElement === this.#filter) this.#leaveFilter()
    else if (this.#place.selected !== null) this.#closeDetail()
    else if (document.activeElement instanceof HTMLElement) {
      document.activeElement.blur()
      this.#hold.toTop()
    }
  }

  #leaveFilter(): void {
    this.#filter.value = this.#place.pattern ?? ""
    this.#filter.blur()
  }

  #togglePause(): void {
    this.#hold.pause(!this.#hold.paused)
    this.#announcer.say(this.#hold.paused ? "Paused" : "Following new signals")
    this.#requestRender()
  }

  #showNew(): void {
    this.#list.release()
    this.#hold.toTop()
    this.#render()
    this.#listView.focusFirst()
  }

  #onNews(news: News): void {
    this.#list.take(news)
    this.#detail.take(news)
    if (news.kind === "arrived") this.#announcer.count(news.rows.length)
  }

  /** Something may have been missed. */
  #catchUp(): void {
    this.#list.refresh()
    this.#detail.refresh()
  }

  #onConnection(connection: Connection): void {
    if (connection === this.#connection) return
    const isChange = this.#connection !== "connecting" && this.#connection !== "stopped" && connection !== "stopped"
    if (isChange) this.#announcer.say(`Connection: ${connection}`)
    this.#connection = connection
    this.#header.showConnection(connection)
  }

  #onSummary(summary: Summary): void {
    this.#summary = summary
    this.#header.showSummary(summary)
    this.#requestRender()
  }

  async #readSummary(): Promise<void> {
    // The list asks at the same time and shows why it failed; the numbers come with the next summary.
    const summary = await fetchSummary(new AbortController().signal).catch(() => undefined)
    if (summary) this.#onSummary(summary)
  }

  #render(): void {
    const { state } = this.#list
    this.#listView.render(state.shown)
    this.#surroundings.render({
      state,
      paused: this.#hold.paused,
      problem: this.#list.problem,
      loadingOlder: this.#list.loadingOlder,
      pattern: this.#place.pattern,
      tenant: this.#summary?.tenant,
    })
  }
}

new App().start()
