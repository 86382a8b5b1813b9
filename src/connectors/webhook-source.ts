/** An inbound request, as the edge hands it to a source: the bytes as they came. */
export interface WebhookRequest {
  readonly headers: Headers
  readonly body: Uint8Array
}

/** What a source read from a request: the material of one signal. */
export interface WebhookEvent {
  readonly type: string
  /** For example `webhook:github`. */
  readonly source: string
  /** The provider's id of the event: a redelivery has the same one. */
  readonly sourceEventId: string
  readonly subject?: string
  readonly data: unknown
}

/** A provider's webhooks for one tenant. Adapters are one file each; `webhookSourceContract` says how they must behave. */
export interface WebhookSource {
  /** Last segment of the address: `/v1/webhooks/<name>`. Letters, digits, `_` and `-`. */
  readonly name: string
  /** Slug of the tenant whose signals these become. The request has no say in it. */
  readonly tenant: string
  /** Largest body it reads, bytes. */
  readonly maxBodyBytes: number
  /**
   * Verifies a request and reads its event; undefined when it is genuine but no event, such as a ping to ignore.
   *
   * @throws FleetPromptError `webhook_signature_invalid`, `request_invalid`, `body_malformed`
   */
  readonly receive: (request: WebhookRequest) => WebhookEvent | undefined
}
