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

// The bytes of the run's data, and how to ask more.
export async function connect() {
  const token = await takeToken();
  if (token === null) throw new Error("Open the link that saescope view printed, or press Enter there for a new one.");
  const answer = await fetch("/api/v1/pages.npz", { headers: { Authorization: `Bearer ${token}` } });
  if (answer.status === 401) store(TOKEN_NAME, null);
  if (!answer.ok) throw new Error((await answer.json()).detail);
  return { bytes: new Uint8Array(await answer.arrayBuffer()), ask: (path, body, signal) => post(path, body, token, signal) };
}
