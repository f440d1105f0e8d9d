// Requests to the server: once more where an answer is lost, and in words where it refuses.

const FIRST_MS = 500;
const LONGEST_MS = 8000;
const QUIET = 2; // attempts that may fail before somebody is told

export class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }

  // Whether what was asked about is no more. Everything else may be different a moment later.
  get gone() { return this.status === 404 || this.status === 410; }
}

export async function ask(path, { method = "GET", body, keepalive } = {}) {
  let response, text;
  try {
    response = await fetch(path, {
      method,
      keepalive,
      headers: body && { "Content-Type": "application/json" },
      body: body && JSON.stringify(body),
    });
    text = await response.text();
  } catch {
    throw new Refused(0, "The server does not answer.");
  }
  if (!response.ok) throw refused(response.status, response.headers.get("Content-Type"), text);
  if (!text) return null;
  try {
    return JSON.parse(text);
  } catch {
    throw new Refused(0, "Something else than the server answers here.");
  }
}

// Ask until there is an answer, with longer and longer pauses. Ends with an error only where the
// thing is gone; gives null once `wanted()` is false. `tell` is given what is wrong, and "" when it
// is no more.
export async function askPatiently(path, { wanted = () => true, tell = () => {} } = {}) {
  for (let attempt = 1; wanted(); attempt += 1) {
    try {
      const answer = await ask(path);
      if (attempt > QUIET) tell("");
      return answer;
    } catch (error) {
      if (error.gone) throw error;
      if (attempt >= QUIET) tell(`${error.message} Trying again…`);
    }
    await pause(Math.min(LONGEST_MS, FIRST_MS * 2 ** (attempt - 1)));
  }
  return null;
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// What is between the page and the server, such as a proxy, answers with pages of its own.
export function refused(status, type, text) {
  const ours = type?.startsWith("text/plain") && text && text.length < 400 && !/^\d{3}: |</.test(text);
  return new Refused(status, ours ? text : WORDS[status] ?? `The server answers with error ${status}.`);
}

const AWAY = "The server is away for the moment.";
const WORDS = {
  0: "The connection to the server broke off.",
  401: "The server asks for its token: open the address that deblur serve has printed.",
  404: "That is no longer on the server.",
  408: "The server waited too long for it.",
  413: "The file is too large for the way to the server. Whoever runs it can raise the limit of its proxy.",
  429: "The server has too much to do; try again in a while.",
  502: AWAY,
  503: AWAY,
  504: AWAY,
};
