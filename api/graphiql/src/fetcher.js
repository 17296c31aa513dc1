import { createGraphiQLFetcher } from '@graphiql/toolkit';
import { adoptSession, authorization } from './session.js';

// https: becomes wss:, http: becomes ws:.
const subscriptionUrl = new URL('/graphql/ws', window.location.origin.replace(/^http/, 'ws')).href;

// `subscriptionUrl` rather than a ready `wsClient`: so each subscription opens its own connection, whose
// connection_init payload holds the headers of that very request.
const send = createGraphiQLFetcher({
  url: new URL('/graphql', window.location.origin).href,
  subscriptionUrl,
  enableIncrementalDelivery: false,
});

/** Sends one operation with the headers typed into its tab, or with the session's token when they name no Authorization. */
export async function fetcher(operation, options) {
  const headers = {};
  for (const [name, value] of Object.entries(options?.headers ?? {})) headers[name.toLowerCase()] = value;
  const token = authorization();
  if (token && !headers.authorization) headers.authorization = token;

  const response = await send(operation, { ...options, headers });
  adoptSession(response);
  return response;
}
