/** Length of the event that the reading and writing workloads use, as JSON text. */
export const BYTES = 628

/** An order of five items, a signal in its JSON form. */
export function orderCreated() {
  const items = ["Lamp", "Chair", "Table", "Shelf", "Carpet"].map((name, index) => ({
    sku: `SKU-00${index}`,
    name,
    quantity: index + 1,
    price: 19.5 + index,
  }))
  return {
    specversion: "1.0",
    id: "0192f0c1-7a3b-7def-8abc-0123456789ab",
    source: "/shop/orders",
    type: "order.created",
    time: "2026-01-31T12:00:00.000Z",
    subject: "ord-000123",
    datacontenttype: "application/json",
    data: {
      order: "ord-000123",
      customer: { id: "cus-42", email: "a@example.com" },
      items,
      currency: "EUR",
      note: "as agreed",
    },
  }
}

/** The same as JSON text. */
export function orderText(): string {
  const text = JSON.stringify(orderCreated())
  if (text.length !== BYTES) throw new Error(`expected an event of ${BYTES} bytes, got ${text.length}`)
  return text
}
