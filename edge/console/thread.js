// One open thread: what it holds, kept true by its events. Knows the API and no page.

/** How long to wait before a broken stream is opened again. */
const AGAIN_MS = 1000;

export class Thread {
  /** `changed` is called whenever something is to be shown anew. */
  constructor(api, key, changed) {
    this.api = api;
    this.key = key;
    this.changed = changed;
    this.closing = new AbortController();
    this.items = []; // messages and notes in the order of the thread
    this.state = {};
    this.branches = [];
    this.tools = new Map(); // tool calls by id, with what became of them
    this.live = null; // {runId, attempt, text} of the answer that is being written
    this.older = "";
    this.problem = "";
  }

  async open() {
    await this.reload();
    this.#follow();
  }

  close() {
    this.closing.abort();
  }

  /** Read everything from the server: after opening, and when a branch was chosen. */
  async reload() {
    const state = await this.#call("conversation-state", { pageSize: 50 });
    this.items = state.messages.map(messageItem);
    this.older = state.nextPageToken ?? "";
    this.#take(state);
    await this.#loadBranches();
    this.changed();
  }

  async loadOlder() {
    const page = await this.#call("list-messages", { pageSize: 50, pageToken: this.older });
    this.items = [...page.messages.reverse().map(messageItem), ...this.items];
    this.older = page.nextPageToken ?? "";
    this.changed();
  }

  send(text) {
    const said = { role: "user", content: text };
    return this.#call("send-message", { userMessage: said, clientMessageId: crypto.randomUUID() });
  }

  stop(runId) {
    return this.#call("cancel-run", { runId });
  }

  regenerate(messageId) {
    return this.#call("regenerate", { messageId });
  }

  edit(messageId, text) {
    const said = { role: "user", content: text };
    const id = crypto.randomUUID();
    return this.#call("edit-message", { messageId, userMessage: said, clientMessageId: id });
  }

  async choose(branchId) {
    await this.#call("choose-branch", { branchId });
    await this.reload();
  }

  resolve(approvalId, decision) {
    return this.#call("resolve-tool-approval", { approvalId, decision });
  }

  #call(method, body = {}) {
    return this.api.call(method, { conversationKey: this.key, ...body });
  }

  #take(state) {
    this.state = state;
    this.sequence = state.lastSequence ?? 0;
  }

  async #loadBranches() {
    const answer = await this.#call("list-branches", { pageSize: 200 });
    this.branches = answer.branches ?? [];
  }

  async #follow() {
    while (!this.closing.signal.aborted) {
      try {
        const body = { conversationKey: this.key, after: this.sequence };
        for await (const frame of this.api.stream("stream-events", body, this.closing.signal)) {
          if (frame.event === "message.delta") this.#write(frame.data);
          else if (frame.id) await this.#happen(frame.data);
          this.changed();
        }
      } catch (error) {
        if (this.closing.signal.aborted) return;
        this.problem = error.isTerminal ? error.message : "";
        if (error.isTerminal) return this.changed();
      }
      await new Promise((done) => setTimeout(done, AGAIN_MS));
    }
  }

  #write({ runId, attempt, offset = 0, text }) {
    const live = this.live;
    if (!live || live.runId !== runId || live.attempt !== attempt) {
      this.live = { runId, attempt, text };
    } else {
      // Offsets count code points, as `Array.from` does.
      const known = Array.from(live.text);
      if (known.length >= offset) live.text = known.slice(0, offset).join("") + text;
    }
  }

  async #happen(event) {
    this.sequence = event.sequence;
    if (event.message) this.#place(event);
    if (event.type.startsWith("tool.")) this.#tool(event);
    if (event.type === "run.retrying") this.live = null;
    if (event.type === "run.failed") this.#note(event, event.error?.message ?? "The run failed.", true);
    if (event.type === "run.cancelled") this.#note(event, "Stopped.");
    if (event.type === "context.compacted") {
      const { messagesSummarized = 0, tokensSaved = 0 } = event.compaction ?? {};
      this.#note(event, `Context compacted: ${messagesSummarized} messages summarised, ${tokensSaved} tokens saved.`);
    }
    if (event.type === "message.rolled_back") {
      this.items = this.items.filter((item) => item.message?.messageId !== event.messageId);
    }
    if (event.type.startsWith("branch.")) return this.reload();
    if (/^(run|message|tool)\./.test(event.type)) await this.#refresh();
  }

  /** Status, queue, approvals and totals are the server's to tell. */
  async #refresh() {
    this.#keepSequence(await this.#call("conversation-state", { pageSize: 1 }));
  }

  #keepSequence(state) {
    this.state = state;
  }

  #place(event) {
    if (this.live?.runId === event.runId && event.type === "message.completed") this.live = null;
    const known = this.items.some((item) => item.message?.messageId === event.message.messageId);
    if (!known) this.items.push(messageItem(event.message));
  }

  #note(event, text, failed = false) {
    this.items.push({ id: `event-${event.sequence}`, note: text, failed });
  }

  #tool(event) {
    const call = event.toolCall ?? event.tool ?? {};
    const id = call.toolCallId ?? call.callId ?? event.toolCallId ?? `event-${event.sequence}`;
    const known = this.tools.get(id);
    const shown = { ...known?.call, ...call };
    if (known) Object.assign(known, { call: shown, type: event.type });
    else {
      const item = { id: `tool-${id}`, call: shown, type: event.type };
      this.tools.set(id, item);
      this.items.push(item);
    }
  }
}

function messageItem(message) {
  return { id: message.messageId, message };
}
