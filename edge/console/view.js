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
  at("status").dataset.status = state.status ?? "IDLE";
  at("tokens").textContent = state.totalUsage?.totalTokens ?? "0";
  at("cost").textContent = `$${state.totalCostUsd || "0"}`;
  at("stop").disabled = !state.activeRunId;
  at("older").hidden = !thread.older;
  at("problem").textContent = thread.problem;
  showBranches(thread, state);
  showMessages(thread, act);
  showApprovals(state.pendingApprovals ?? [], act);
  const waiting = (state.queuedRunIds ?? []).map((runId) => queued(runId, thread, act));
  at("queue").replaceChildren(...waiting);
  stay();
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
  const shown = thread.rows().map((item) => {
    const signature = JSON.stringify(item);
    const known = rows.get(item.id);
    if (known?.signature === signature) return known.row;
    const row = rowOf(item, act);
    rows.set(item.id, { signature, row });
    return row;
  });
  const same = shown.length === list.children.length && shown.every((row, n) => row === list.children[n]);
  if (!same) list.replaceChildren(...shown);
}

// A reader at the end stays there, whatever grows above or below; one who scrolled back is left
// where they are.
let atEnd = true;
let place = 0;

function stay() {
  const list = at("messages");
  if (atEnd) list.scrollTop = list.scrollHeight;
  place = list.scrollTop;
}

at("messages").addEventListener("scroll", ({ target: list }) => {
  // Only going back is a wish to stay there: the end also moves away by itself.
  const near = list.scrollHeight - list.scrollTop - list.clientHeight < 60;
  if (near || list.scrollTop < place) atEnd = near;
  place = list.scrollTop;
});
new ResizeObserver(stay).observe(at("messages"));

function rowOf(item, act) {
  if (item.note !== undefined) {
    return element("li", { class: item.failed ? "note failed" : "note" }, item.note);
  }
  if (item.live) {
    const text = element("div", { class: "text" }, item.live.text);
    return element("li", { class: "assistant writing" }, text);
  }
  return item.message ? messageRow(item, act) : element("li", { class: "assistant" }, ...item.calls.map(toolCard));
}

function messageRow({ message, calls }, act) {
  const { role, content = "", messageId } = message;
  const parts = (message.parts ?? []).map((part) => part.text || part.imageUrl || part.fileUrl);
  const mine = role === "user";
  const again = mine
    ? small("Edit", () => act.edit(message))
    : role === "assistant" && !calls.length ? small("Regenerate", () => act.regenerate(messageId)) : null;
  const about = element("p", { class: "about" },
    mine ? "You" : message.model || role,
    message.partial ? element("span", {}, "incomplete") : null,
    again);
  const text = [content, ...parts].filter(Boolean).join("\n");
  return element("li", { class: role, "data-id": messageId },
    text || !calls.length ? element("div", { class: "text" }, text) : null,
    ...calls.map(toolCard), about);
}

const STATUS = {
  REQUESTED: "running", WAITING: "waits for approval", SUCCEEDED: "done", FAILED: "failed",
  DENIED: "denied", UNKNOWN: "outcome unknown", CANCELLED: "cancelled",
};

function toolCard(call) {
  const name = call.serverName ? `${call.serverName} / ${call.toolName}` : call.name ?? "tool";
  const status = call.status ?? "REQUESTED";
  const said = call.result || call.error?.message;
  return element("div", { class: "tool", "data-status": status },
    element("p", { class: "about" },
      element("strong", {}, name), element("span", { class: "chip" }, STATUS[status] ?? status)),
    call.arguments === undefined ? null : element("pre", { "aria-label": "Arguments" }, pretty(call.arguments)),
    said ? element("details", { open: said.length < 600 },
      element("summary", {}, "Result"), element("pre", {}, pretty(said))) : null);
}

/** JSON laid out for people, on one line where it is short; other text as it is. */
function pretty(value) {
  if (typeof value !== "string") {
    const line = JSON.stringify(value);
    return line.length < 70 ? line : JSON.stringify(value, null, 2);
  }
  try {
    const read = JSON.parse(value);
    return typeof read === "string" ? value : pretty(read);
  } catch {
    return value;
  }
}

// Kept while they wait, so that a half-edited argument survives what happens meanwhile.
const cards = new Map();

function showApprovals(approvals, act) {
  const shown = approvals.map((approval) => {
    const id = approval.approvalId;
    if (!cards.has(id)) cards.set(id, approvalCard(approval, act));
    return cards.get(id);
  });
  for (const [id, card] of cards) if (!shown.includes(card)) cards.delete(id);
  const place = at("approvals");
  const same = shown.length === place.children.length && shown.every((card, n) => card === place.children[n]);
  if (!same) place.replaceChildren(...shown);
}

function approvalCard(approval, act) {
  const id = approval.approvalId;
  const asked = pretty(approval.arguments ?? {});
  const edited = element("textarea", {
    rows: Math.min(asked.split("\n").length + 1, 12), spellcheck: "false", id: `arguments-${id}`,
  });
  edited.value = asked;
  const problem = element("p", { role: "alert" });
  const approve = () => {
    let wanted;
    try {
      wanted = edited.value === asked ? undefined : JSON.parse(edited.value);
    } catch {
      problem.textContent = "The arguments are not JSON.";
      return edited.focus();
    }
    act.resolve(id, "APPROVE", wanted);
  };
  const held = approval.defaultDecision === "APPROVE" ? "approved" : "denied";
  return element("div", { class: "approval", role: "group", "aria-label": `Approval of ${approval.toolName}` },
    element("p", {}, "The model wants to call ",
      element("strong", {}, `${approval.serverName} / ${approval.toolName}`),
      approval.effect === "DANGEROUS" ? element("span", { class: "chip alarm" }, "dangerous") : null),
    element("label", { for: `arguments-${id}` }, "Arguments, which you may change"),
    edited, problem,
    element("p", { class: "about" },
      element("button", { type: "button", onclick: approve }, "Approve"),
      element("button", { type: "button", class: "quiet", onclick: () => act.resolve(id, "DENY") }, "Deny"),
      approval.deadline
        ? element("span", {}, `Without a word it is ${held} at `,
          element("time", { datetime: approval.deadline }, clock(approval.deadline)))
        : null));
}

/** The tool servers of the organization, each to be allowed in this thread or not. */
export function showServers(servers, allowed, change) {
  const every = allowed.includes("*");
  const rows = servers.map(({ serverName: name, status, description }) =>
    element("label", { class: "inline", title: description },
      element("input", {
        type: "checkbox", value: name, checked: every || allowed.some((each) => each.split("/")[0] === name),
        onchange: () => change([...at("servers").querySelectorAll(":checked")].map((box) => box.value)),
      }),
      name, status === "UNAVAILABLE" ? element("span", { class: "chip alarm" }, "does not answer") : null));
  at("servers").replaceChildren(...(rows.length ? rows : ["No tool server is registered."]));
}

function queued(runId, thread, act) {
  const asked = thread.messages.find((message) => message.runId === runId);
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
