// The program that serves these pages: a link's code is traded for a token, which stays in this tab.

const TOKEN_NAME = "saescope-token";

const stored = (name) => { try { return sessionStorage.getItem(name); } catch { return null; } };
const store = (name, value) => { try { if (value === null) sessionStorage.removeItem(name); else sessionStorage.setItem(name, value); } catch { /* no storage: the link has to be opened again */ } };

async function post(path, body, token, signal) {
  const headers = { "Content-Type": "application/json", ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  const answer = await fetch(`/api/v1/${path}`, { method: "POST", headers, body: JSON.stringify(body), signal });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail || said.title);
  return said;
}

// The code of a link is taken out of the address at once.
async function takeToken() {
  const found = /^#t=([0-9a-f]{64})$/.exec(location.hash);
  if (found) {
    history.replaceState(null, "", "#/");
    store(TOKEN_NAME, (await post("session", { code: found[1] })).token);
  }
  return stored(TOKEN_NAME);
}

async function getAnswer(path, token, signal) {
  const answer = await fetch(`/api/v1/${path}`, { headers: { Authorization: `Bearer ${token}` }, signal });
  const said = await answer.json();
  if (!answer.ok) throw new Error(said.detail || said.title);
  return said;
}

// The bytes of the run's data; null where there are none yet.
async function getPages(token) {
  const answer = await fetch("/api/v1/pages.npz", { headers: { Authorization: `Bearer ${token}` } });
  if (answer.status === 401) store(TOKEN_NAME, null);
  if (answer.status === 503) return null;
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return { bytes: new Uint8Array(await answer.arrayBuffer()), tag: answer.headers.get("ETag") };
}

const PAUSE_BETWEEN_MS = 1000;

// How to ask the program: `pages` for the run's data and its tag, `get` and `ask` for the rest. `wait` is called while there are no numbers.
export async function connect(wait) {
  const token = await takeToken();
  if (token === null) throw new Error("Open the link that saescope view printed, or press Enter there for a new one.");
  const get = (path, signal) => getAnswer(path, token, signal);
  let first = await getPages(token);
  while (first === null) {
    wait(await get("live"));
    await new Promise((resolve) => setTimeout(resolve, PAUSE_BETWEEN_MS));
    first = await getPages(token);
  }
  return { ...first, get, pages: () => getPages(token), ask: (path, body, signal) => post(path, body, token, signal) };
}
