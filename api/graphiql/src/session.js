// The session the page acts for. It lives in sessionStorage, so that it survives a reload and ends with the browser tab.
const KEY = 'playground:session';
const listeners = new Set();
let current = JSON.parse(sessionStorage.getItem(KEY));

function replace(session) {
  current = session;
  if (session) sessionStorage.setItem(KEY, JSON.stringify(session));
  else sessionStorage.removeItem(KEY);
  for (const listener of listeners) listener();
}

/** Calls `listener` after every change; returns the function that stops it. */
export function subscribe(listener) {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** `{accessToken, expiresAt?, handle?}`, or null when nobody is signed in. */
export function session() {
  return current;
}

export function signOut() {
  replace(null);
}

/** Signs in with the session in a response of sessionCreate, userRegister or sessionRefresh, whatever its alias. */
export function adoptSession(response) {
  for (const payload of Object.values(response?.data ?? {})) {
    const { accessToken, expiresAt, user } = payload?.session ?? {};
    if (accessToken) replace({ accessToken, expiresAt, handle: user?.handle });
  }
}

/** The Authorization value of the session; null without one. An expired session is dropped rather than sent. */
export function authorization() {
  if (current?.expiresAt && Date.parse(current.expiresAt) <= Date.now()) signOut();
  return current && `Bearer ${current.accessToken}`;
}
