// Calls of the public API: what a page needs of it, and nothing of the page.

const BASE = "/api/v1/llm/gateway/";

/** A refusal: the error envelope that every method answers with. */
export class Refused extends Error {
  constructor(error) {
    super(error.message);
    this.code = error.code;
    this.reason = error.details?.reason ?? "";
    this.isTerminal = error.isTerminal;
  }
}

export class Api {
  constructor(key) {
    this.key = key;
  }

  /** One method of the gateway. Throws Refused. */
  async call(method, body = {}) {
    const answer = await this.#post(method, body);
    return answer.json();
  }

  /** The frames of an event stream, `{event, id, data}`, until it ends or `signal` says stop. */
  async *stream(method, body, signal) {
    const answer = await this.#post(method, body, signal);
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      const parts = (rest + value).split("\n\n");
      rest = parts.pop();
      for (const part of parts) {
        const frame = frameOf(part);
        if (frame) yield frame;
      }
    }
  }

  async #post(method, body, signal) {
    const answer = await fetch(BASE + method, {
      method: "POST",
      headers: { "content-type": "application/json", "x-api-key": this.key },
      body: JSON.stringify(body),
      signal,
    });
    if (!answer.ok) throw new Refused((await answer.json()).error);
    return answer;
  }
}

function frameOf(text) {
  const frame = { event: "", id: "", data: null };
  for (const line of text.split("\n")) {
    const at = line.indexOf(":");
    const value = line.slice(at + 1).replace(/^ /, "");
    if (line.startsWith("event:")) frame.event = value;
    else if (line.startsWith("id:")) frame.id = value;
    else if (line.startsWith("data:")) frame.data = JSON.parse(value);
  }
  return frame.event ? frame : null;
}
