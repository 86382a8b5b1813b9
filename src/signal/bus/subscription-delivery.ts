import { Attempt } from "./bus-attempt.ts"
import type { DispatchHookContext, DispatchOutcome } from "../middleware/middleware.ts"
import type { Passage } from "../middleware/middleware-chain.ts"
import type { Delivery, NackOptions } from "./subscription.ts"
import type { Message } from "./subscription-window.ts"

/** What a delivery asks of its subscription. */
export interface DeliveryOwner {
  readonly id: string
  readonly acknowledge: (delivery: MessageDelivery) => boolean
  readonly refuse: (delivery: MessageDelivery, reason: unknown, options: NackOptions) => boolean
}

/** What a delivery is made of. */
export interface DeliveryParts {
  readonly message: Message
  readonly context: DispatchHookContext
  /** Whether the message is settled when the dispatch succeeds. */
  readonly settlesOnReturn: boolean
  /** Milliseconds since 1970. */
  readonly startedAt: number
}

/** One try to hand a message over, until it is settled, fails, or its time is over. */
export class MessageDelivery extends Attempt implements Delivery {
  readonly subscription: string
  readonly message: Message
  readonly context: DispatchHookContext
  readonly settlesOnReturn: boolean
  readonly startedAt: number
  /** How the signal came through the `before` hooks; undefined while it is with them. */
  passage: Passage | undefined
  /** What became of it, when that was known before the hooks had let it through. */
  outcome: DispatchOutcome | undefined
  /** Whether its outcome is known. An acknowledgement may still come. */
  isOver = false
  isNacked = false
  /** Whether the dispatch is under way and counts as activity. */
  isUnderWay = false
  cancelDeadline: (() => void) | undefined
  /** Properties, so that a subscriber can take them out of the object. */
  readonly ack: () => boolean
  readonly nack: (reason?: unknown, options?: NackOptions) => boolean

  constructor(owner: DeliveryOwner, { message, context, settlesOnReturn, startedAt }: DeliveryParts) {
    super(message.attempts)
    this.subscription = owner.id
    this.message = message
    this.context = context
    this.settlesOnReturn = settlesOnReturn
    this.startedAt = startedAt
    this.ack = () => owner.acknowledge(this)
    this.nack = (reason, options = {}) => owner.refuse(this, reason, options)
  }
}
