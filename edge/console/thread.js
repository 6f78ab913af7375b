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
    this.messages = []; // of the active branch, as far as they were read
    this.ends = new Map(); // how runs ended that did not complete, by run
    this.state = {};
    this.branches = [];
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
    this.messages = state.messages;
    this.older = state.nextPageToken ?? "";
    this.#take(state);
    await Promise.all([this.#loadBranches(), this.#loadEnds()]);
    this.changed();
  }

  async loadOlder() {
    const page = await this.#call("list-messages", { pageSize: 50, pageToken: this.older });
    this.messages = [...page.messages.reverse(), ...this.messages];
    this.older = page.nextPageToken ?? "";
    this.changed();
  }

  send(text) {
    const said = { role: "user", content: text };
    return this.#call("send-message", { userMessage: said, clientMessageId: crypto.randomUUID() });
  }

  rename(name) {
    return this.#call("update-thread", { name });
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

  /** `edited` stands in for the arguments that the model asked for. */
  resolve(approvalId, decision, edited) {
    return this.#call("resolve-tool-approval", { approvalId, decision, arguments: edited });
  }

  /** Let the model call the tools of these servers; the thread's own rules for them stay. */
  async allow(servers) {
    const tools = { ...this.state.settings?.tools, allowed: servers };
    await this.#call("update-settings", { settings: { tools } });
    await this.#refresh();
    this.changed();
  }

  /** What is shown: each turn together, in the order of the thread. What waits in the queue has its
   * own place. A message has the calls that it asks for, with what became of them. */
  rows() {
    const turns = new Map();
    const queued = new Set(this.state.queuedRunIds ?? []);
    for (const message of this.messages) {
      const turn = message.runId || message.messageId;
      if (queued.has(turn)) continue;
      if (!turns.has(turn)) turns.set(turn, []);
      turns.get(turn).push(message);
    }
    if (this.live && !turns.has(this.live.runId)) turns.set(this.live.runId, []);
    return [...turns].flatMap(([turn, messages]) => {
      const rows = this.#turn(messages);
      if (this.live?.runId === turn) rows.push({ id: `live-${turn}`, live: this.live });
      if (this.ends.has(turn)) rows.push({ id: `end-${turn}`, ...this.ends.get(turn) });
      return rows;
    });
  }

  #turn(messages) {
    const rows = [];
    const open = new Map(); // calls without a result so far
    for (const message of messages) {
      if (message.role === "note") {
        rows.push({ id: message.messageId, note: message.content });
        continue;
      }
      if (message.role === "tool") {
        const id = message.toolCall?.callId;
        const call = { ...message.toolCall, result: message.content ?? "" };
        if (open.has(id)) Object.assign(open.get(id), call);
        else rows.push({ id: message.messageId, calls: [call] });
        open.delete(id);
        continue;
      }
      const calls = (message.toolCalls ?? []).map((call) => ({ ...call }));
      for (const call of calls) open.set(call.callId, call);
      rows.push({ id: message.messageId, message, calls });
    }
    const runId = messages[0]?.runId;
    for (const approval of this.state.pendingApprovals ?? []) {
      const waiting = approval.runId === runId ? open.get(approval.callId) : null;
      if (waiting) waiting.status = "WAITING";
    }
    return rows;
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

  async #loadEnds() {
    for (const run of (await this.#call("list-runs", { pageSize: 50 })).runs) {
      if (run.status === "FAILED") this.#end(run.runId, run.error?.message, true);
      if (run.status === "CANCELLED") this.#end(run.runId, "Stopped.");
    }
  }

  #end(runId, note = "The run failed.", failed = false) {
    this.ends.set(runId, { note, failed });
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
    if (event.type === "run.retrying") this.live = null;
    if (event.type === "run.failed") this.#end(event.runId, event.error?.message, true);
    if (event.type === "run.cancelled") this.#end(event.runId, "Stopped.");
    if (event.type === "context.compacted") this.#compacted(event);
    if (event.type === "message.rolled_back") {
      this.messages = this.messages.filter(({ messageId }) => messageId !== event.messageId);
    }
    if (event.type.startsWith("branch.")) return this.reload();
    if (/^(run|message|tool)\./.test(event.type)) await this.#refresh();
  }

  #compacted({ sequence, compaction }) {
    const { messagesSummarized = 0, tokensSaved = 0 } = compaction ?? {};
    const note = `Context compacted: ${messagesSummarized} messages summarised, ${tokensSaved} tokens saved.`;
    this.messages.push({ messageId: `event-${sequence}`, role: "note", content: note });
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
    const known = this.messages.some(({ messageId }) => messageId === event.message.messageId);
    if (!known) this.messages.push(event.message);
  }
}
