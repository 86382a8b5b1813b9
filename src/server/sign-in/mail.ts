/** A mail to one person, plain text. */
export interface Mail {
  readonly to: string
  readonly subject: string
  /** Holds a link that lets its reader in: keep it out of logs. */
  readonly text: string
}

const FOOT = "\n\nIf you did not ask for this, you may ignore this mail: without the link nothing happens.\n"

/** An invitation. */
export function invitationMail(to: string, organisation: string, link: string): Mail {
  return {
    to,
    subject: `Join ${organisation} on FleetPrompt`,
    text: `You are invited to ${organisation}. Open this link to join. It works once.\n\n${link}${FOOT}`,
  }
}

/** To set a new password. */
export function resetMail(to: string, link: string): Mail {
  return {
    to,
    subject: "Set a new password for FleetPrompt",
    text: `Open this link within an hour to set a new password. It works once.\n\n${link}${FOOT}`,
  }
}

/** To finish signing up. */
export function signUpMail(to: string, link: string): Mail {
  return {
    to,
    subject: "Finish signing up for FleetPrompt",
    text: `Open this link within an hour to finish. It works once.\n\n${link}${FOOT}`,
  }
}

/** To whoever signs up with an address that has an account. */
export function knownMail(to: string, link: string): Mail {
  return {
    to,
    subject: "You have a FleetPrompt account already",
    text: `Somebody, most likely you, tried to sign up with this address, which has an account. Sign in here:\n\n${link}${FOOT}`,
  }
}

/** To whoever asks for a new password and has none, since they sign in by a provider: they get none by mail. */
export function providerMail(to: string, link: string): Mail {
  return {
    to,
    subject: "You sign in to FleetPrompt without a password",
    text: `Your account has no password: you sign in with your organisation's provider. Do so here:\n\n${link}${FOOT}`,
  }
}
