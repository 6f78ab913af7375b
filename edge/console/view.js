// From what a thread holds to what is shown. Text is only ever set as text, never as HTML.

export const at = (id) => document.getElementById(id);

export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
}

export function showThreads(threads, current, open) {
  const rows = threads.map(({ conversationKey: key, name }) =>
    element("li", {}, element("button", {
      type: "button", "aria-current": key === current ? "true" : null, onclick: () => open(key),
    }, name || key)));
  at("threads").replaceChildren(...rows);
}

export function showThread(thread, act) {
  const { state } = thread;
  at("title").textContent = state.name || thread.key;
  at("status").textContent = state.status ?? "IDLE";
  at("tokens").textContent = state.totalUsage?.totalTokens ?? "0";
  at("cost").textContent = `$${state.totalCostUsd || "0"}`;
  at("stop").disabled = !state.activeRunId;
  at("older").hidden = !thread.older;
  at("problem").textContent = thread.problem;
  showBranches(thread, state);
  showMessages(thread, act);
  showApprovals(state.pendingApprovals ?? state.pendingToolApprovals ?? [], act);
  const waiting = (state.queuedRunIds ?? []).map((runId) => queued(runId, thread, act));
  at("queue").replaceChildren(...waiting);
}

function showBranches(thread, state) {
  const options = thread.branches.map(({ branchId }) =>
    element("option", { value: branchId, selected: branchId === state.activeBranchId }, branchId));
  at("branches").replaceChildren(...options);
  at("branches").disabled = options.length < 2;
}

// Rows are kept while they are the same, so that a reader's place and selection survive.
const rows = new Map();

function showMessages(thread, act) {
  const list = at("messages");
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  const items = [...thread.items];
  if (thread.live) items.push({ id: `live-${thread.live.runId}`, live: thread.live });
  const shown = items.map((item) => {
    const signature = JSON.stringify([item, item.live?.text]);
    const known = rows.get(item.id);
    if (known?.signature === signature) return known.row;
    const row = rowOf(item, act);
    rows.set(item.id, { signature, row });
    return row;
  });
  const same = shown.length === list.children.length && shown.every((row, n) => row === list.children[n]);
  if (!same) list.replaceChildren(...shown);
  if (atEnd) list.scrollTop = list.scrollHeight;
}

function rowOf(item, act) {
  if (item.note !== undefined) {
    return element("li", { class: item.failed ? "note failed" : "note" }, item.note);
  }
  if (item.live) {
    const text = element("div", { class: "text" }, item.live.text);
    return element("li", { class: "assistant writing" }, text);
  }
  return item.call ? toolRow(item) : messageRow(item.message, act);
}

function messageRow(message, act) {
  const { role, content = "", messageId } = message;
  const parts = (message.parts ?? []).map((part) => part.text || part.imageUrl || part.fileUrl);
  const mine = role === "user";
  const again = mine
    ? small("Edit", () => act.edit(message))
    : role === "assistant" ? small("Regenerate", () => act.regenerate(messageId)) : null;
  const about = element("p", { class: "about" },
    mine ? "You" : message.model || role,
    message.partial ? element("span", {}, "incomplete") : null,
    again);
  return element("li", { class: role, "data-id": messageId },
    element("div", { class: "text" }, [content, ...parts].filter(Boolean).join("\n")), about);
}

function toolRow({ call, type }) {
  const name = call.toolName ?? call.name ?? "tool";
  const body = [call.arguments, call.result, call.error].filter((part) => part !== undefined);
  return element("li", { class: "tool" },
    element("strong", {}, name), ` ${call.status ?? type.replace("tool.", "")}`,
    ...body.map((part) => element("pre", {}, typeof part === "string" ? part : JSON.stringify(part, null, 2))));
}

function showApprovals(approvals, act) {
  at("approvals").replaceChildren(...approvals.map((approval) => {
    const id = approval.approvalId;
    const wanted = approval.arguments === undefined ? "" : JSON.stringify(approval.arguments);
    return element("div", { class: "approval" },
      element("span", {}, `${approval.serverName ?? ""} ${approval.toolName ?? "A tool"} ${wanted}`.trim()),
      approval.deadline ? element("time", { datetime: approval.deadline }, `until ${clock(approval.deadline)}`) : null,
      element("button", { type: "button", onclick: () => act.resolve(id, "APPROVE") }, "Approve"),
      element("button", { type: "button", class: "quiet", onclick: () => act.resolve(id, "DENY") }, "Deny"));
  }));
}

function queued(runId, thread, act) {
  const asked = thread.items.find((item) => item.message?.runId === runId)?.message;
  return element("li", {},
    element("span", {}, `Waiting: ${asked?.content ?? runId}`),
    small("Take back", () => act.stop(runId)));
}

function small(text, onclick) {
  return element("button", { type: "button", class: "quiet", onclick }, text);
}

function clock(time) {
  return new Date(time).toLocaleTimeString();
}
