export const MIN_PASSWORD_LENGTH = 12
export const MAX_PASSWORD_LENGTH = 128
const MIN_DIFFERENT = 5

/** What is wrong with a new password, for people; undefined: nothing. */
export function passwordProblem(password: string): string | undefined {
  if (password.length < MIN_PASSWORD_LENGTH) return `A password needs ${MIN_PASSWORD_LENGTH} characters at least.`
  if (password.length > MAX_PASSWORD_LENGTH) return `A password has ${MAX_PASSWORD_LENGTH} characters at most.`
  if (new Set(password).size < MIN_DIFFERENT) return "A password needs more different characters."
  return undefined
}
