// The page: a key, a list of threads, one open thread. The key stays in this tab.

import { Api } from "./api.js";
import { Thread } from "./thread.js";
import { at, showServers, showThread, showThreads } from "./view.js";

const KEY = "yocaso-key";
let api = null;
let thread = null;
let threads = [];
let nextThreads = "";
let editing = ""; // the message that the draft is to replace

/** Run something that may be refused, and say so where it is. */
async function attempt(action) {
  at("problem").textContent = "";
  try {
    return await action();
  } catch (error) {
    at("problem").textContent = error.message;
    return null;
  }
}

const act = {
  stop: (runId) => attempt(() => thread.stop(runId)),
  regenerate: (id) => attempt(() => thread.regenerate(id)),
  resolve: (id, decision, edited) => attempt(() => thread.resolve(id, decision, edited)),
  edit: (message) => {
    editing = message.messageId;
    at("editing").hidden = false;
    at("draft").value = message.content ?? "";
    at("draft").focus();
  },
};

function stopEditing() {
  editing = "";
  at("editing").hidden = true;
}

async function listServers() {
  at("servers").textContent = "Asking…";
  const found = await attempt(() => api.call("mcp-list-available-servers"));
  const allow = (servers) => attempt(() => thread.allow(servers));
  showServers(found?.servers ?? [], thread?.state.settings?.tools?.allowed ?? [], allow);
}

async function listThreads(more = false) {
  const page = await api.call("list-threads", more ? { pageToken: nextThreads } : {});
  threads = more ? [...threads, ...page.threads] : page.threads;
  nextThreads = page.nextPageToken ?? "";
  at("more-threads").hidden = !nextThreads;
  showThreads(threads, thread?.key, openThread);
}

async function openThread(key) {
  thread?.close();
  at("messages").replaceChildren();
  at("tools").open = false;
  stopEditing();
  const opened = new Thread(api, key, () => thread === opened && showThread(opened, act));
  thread = opened;
  showThreads(threads, key, openThread);
  let status = "";
  const changed = opened.changed;
  opened.changed = () => {
    changed();
    // What a reader that cannot see the page should hear: an answer that is done, not each word.
    if (status && status !== "IDLE" && opened.state.status === "IDLE") {
      const last = opened.messages.findLast(({ role }) => role === "assistant");
      at("spoken").textContent = last?.content ?? "";
    }
    status = opened.state.status;
  };
  await attempt(() => opened.open());
  at("draft").focus();
}

async function newThread() {
  const made = await attempt(() => api.call("create-thread", { name: "" }));
  if (!made) return;
  await openThread(made.conversationKey);
  await listThreads();
}

async function send() {
  const text = at("draft").value.trim();
  if (!text) return;
  if (!thread) await newThread();
  const replaced = editing;
  const name = thread?.state.name || thread?.messages.length ? "" : text.slice(0, 60);
  at("draft").value = "";
  stopEditing();
  const sent = await attempt(() => (replaced ? thread.edit(replaced, text) : thread.send(text)));
  if (!sent) at("draft").value = text;
  else {
    if (name) await attempt(() => thread.rename(name));
    await listThreads();
  }
}

async function enter(key) {
  api = new Api(key);
  try {
    await listThreads();
  } catch (error) {
    at("door-problem").textContent = error.message;
    leave();
    return;
  }
  sessionStorage.setItem(KEY, key);
  at("door").hidden = true;
  at("room").hidden = false;
  if (threads.length) await openThread(threads[0].conversationKey);
}

function leave() {
  thread?.close();
  thread = null;
  sessionStorage.removeItem(KEY);
  at("room").hidden = true;
  at("door").hidden = false;
  at("key").focus();
}

at("door").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(at("key").value.trim());
});
at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
at("draft").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  send();
});
at("stop").addEventListener("click", () => act.stop(thread.state.activeRunId));
at("stop-editing").addEventListener("click", () => {
  stopEditing();
  at("draft").value = "";
});
at("tools").addEventListener("toggle", () => at("tools").open && listServers());
at("older").addEventListener("click", () => attempt(() => thread.loadOlder()));
at("branches").addEventListener("change", (event) => attempt(() => thread.choose(event.target.value)));
at("new-thread").addEventListener("click", newThread);
at("more-threads").addEventListener("click", () => attempt(() => listThreads(true)));
at("leave").addEventListener("click", leave);

// `yocaso dev` prints an address with the key behind `#`, which no browser sends anywhere.
const given = new URLSearchParams(location.hash.slice(1)).get("key");
if (given) history.replaceState(null, "", location.pathname);
const known = given ?? sessionStorage.getItem(KEY);
if (known) enter(known);
else at("door").hidden = false;
