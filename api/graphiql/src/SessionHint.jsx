import { useSyncExternalStore } from 'react';
import { session, signOut, subscribe } from './session.js';

/** Says for whom the page acts, and ends that session. */
export function SessionHint() {
  const signedIn = useSyncExternalStore(subscribe, session);
  return (
    <div className="session-hint">
      <span role="status">
        {!signedIn && 'Not signed in'}
        {signedIn && (signedIn.handle ? `Signed in as ${signedIn.handle}` : 'Signed in')}
      </span>
      {signedIn && (
        <button type="button" onClick={signOut}>
          Sign out
        </button>
      )}
    </div>
  );
}
