import { describe, expect, it } from "vitest"
import { needsResponse, planResponse, rateAlert, readAlert, type SecurityAlerted } from "./security.ts"

const repository = { full_name: "octokit/webhooks" }
const alerted: SecurityAlerted = {
  event: "dependabot_alert",
  repository: "octokit/webhooks",
  about: "semver",
  alert: "GHSA-c2qf-rxjj-qqgw",
  open: true,
  severity: "medium",
  cvss: 7.5,
  fixedIn: "7.5.2",
}

describe("readAlert", () => {
  it("reads a Dependabot alert", () => {
    const alert = {
      number: 20,
      state: "open",
      dependency: { package: { name: "semver" } },
      security_advisory: { ghsa_id: "GHSA-c2qf-rxjj-qqgw", severity: "medium", cvss: { score: 7.5 } },
      security_vulnerability: { first_patched_version: { identifier: "7.5.2" } },
    }
    expect(readAlert("dependabot_alert", { action: "created", alert, repository })).toEqual(alerted)
    expect(readAlert("dependabot_alert", { action: "x", alert: { ...alert, state: "auto_dismissed" } }).open).toBe(
      false,
    )
  })

  it("reads a vulnerability alert, whose state may be the action alone", () => {
    const alert = { affected_package_name: "rack", fixed_in: "2.0.6", severity: "moderate", ghsa_id: "GHSA-hg78" }
    const read = readAlert("repository_vulnerability_alert", { action: "create", alert })
    expect(read).toMatchObject({
      about: "rack",
      fixedIn: "2.0.6",
      severity: "moderate",
      alert: "GHSA-hg78",
      open: true,
    })
    expect(readAlert("repository_vulnerability_alert", { action: "dismiss", alert }).open).toBe(false)
  })

  it("reads an advisory, which belongs to no repository", () => {
    const security_advisory = {
      ghsa_id: "GHSA-rf4j",
      severity: "moderate",
      withdrawn_at: null,
      vulnerabilities: [{ package: { name: "django" }, first_patched_version: { identifier: "2.0.2" } }],
    }
    const read = readAlert("security_advisory", { action: "published", security_advisory })
    expect(read).toMatchObject({ repository: null, about: "django", alert: "GHSA-rf4j", fixedIn: "2.0.2", open: true })
    const withdrawn = { ...security_advisory, withdrawn_at: "2026-01-01T00:00:00Z" }
    expect(readAlert("security_advisory", { action: "updated", security_advisory: withdrawn }).open).toBe(false)
  })

  it("reads a code scanning alert", () => {
    const alert = { number: 10, state: "open", rule: { id: "java/sql-injection", severity: "error" } }
    const read = readAlert("code_scanning_alert", { action: "created", alert })
    expect(read).toMatchObject({ about: "java/sql-injection", alert: "10", severity: "error", fixedIn: null })
    const rule = { ...alert.rule, security_severity_level: "critical" }
    expect(readAlert("code_scanning_alert", { alert: { ...alert, rule } }).severity).toBe("critical")
  })

  it("reads a secret scanning alert", () => {
    const payload = { action: "created", alert: { number: 4, secret_type: "adafruit_io_key", resolution: null } }
    const read = readAlert("secret_scanning_alert", payload)
    expect(read).toMatchObject({ about: "adafruit_io_key", alert: "4", severity: "critical", open: true })
    expect(readAlert("secret_scanning_alert", { ...payload, action: "resolved" }).open).toBe(false)
  })

  it("manages without everything", () => {
    expect(readAlert("dependabot_alert", {})).toMatchObject({ about: "dependabot_alert", alert: null, severity: null })
  })
})

describe("rateAlert", () => {
  it.each([
    [{ cvss: 9.8, severity: "low" }, 9.8, "critical"],
    [{ cvss: 9 }, 9, "critical"],
    [{ cvss: 8.9 }, 8.9, "high"],
    [{ cvss: 4 }, 4, "medium"],
    [{ cvss: 3.9 }, 3.9, "low"],
    [{ cvss: 0, severity: "high" }, 8, "high"],
    [{ cvss: null, severity: "moderate" }, 5.5, "medium"],
    [{ cvss: null, severity: "note" }, 1, "low"],
    [{ cvss: null, severity: null }, 5.5, "medium"],
    [{ cvss: null, severity: "constructor" }, 5.5, "medium"],
    [{ cvss: 9.8, open: false }, 0, "none"],
  ])("%j: %d, %s", (changes, score, rating) => {
    expect(rateAlert({ ...alerted, ...changes })).toMatchObject({ score, rating })
  })
})

describe("planResponse", () => {
  const rated = rateAlert(alerted)

  it("is asked for from medium on", () => {
    expect(needsResponse({ ...rated, score: 4 })).toBe(true)
    expect(needsResponse({ ...rated, score: 3.9 })).toBe(false)
  })

  it.each([
    [{}, "upgrade semver to 7.5.2", 7],
    [{ fixedIn: null }, "replace semver, no version is without the fault", 7],
    [{ event: "secret_scanning_alert", rating: "critical" }, "revoke the semver and issue another", 2],
    [{ event: "code_scanning_alert", rating: "medium" }, "correct what semver found", 30],
  ] as const)("%j: %s within %i days", (changes, step, dueDays) => {
    expect(planResponse({ ...rated, ...changes })).toMatchObject({ step, dueDays, alert: alerted.alert })
  })
})
