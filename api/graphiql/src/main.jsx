import 'graphiql/setup-workers/vite';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { GraphiQL, HISTORY_PLUGIN } from 'graphiql';
import { createRoot } from 'react-dom/client';
// The parts of graphiql/style.css without its embedded web fonts: the system's own fonts do.
import '@graphiql/react/style.css';
import '@graphiql/plugin-doc-explorer/style.css';
import '@graphiql/plugin-history/style.css';
import 'graphiql/graphiql.css';
import '@graphiql/plugin-explorer/style.css';
import './playground.css';
import { fetcher } from './fetcher.js';
import { SessionHint } from './SessionHint.jsx';
import { DEFAULT_TABS } from './tabs/index.js';

const plugins = [HISTORY_PLUGIN, explorerPlugin()];

// GraphiQL fills the variables of the first tab only from `initialVariables`, which must not override a reloaded page.
const isFreshPage = sessionStorage.getItem('graphiql:tabState') === null;

createRoot(document.getElementById('playground')).render(
  <GraphiQL
    fetcher={fetcher}
    // Passwords and tokens get typed into this page: nothing of it may outlive the browser tab.
    storage={sessionStorage}
    shouldPersistHeaders
    plugins={plugins}
    defaultTabs={DEFAULT_TABS}
    initialVariables={isFreshPage ? DEFAULT_TABS[0].variables : undefined}
    defaultEditorToolsVisibility
    inputValueDeprecation
    schemaDescription
  >
    <GraphiQL.Logo>
      <SessionHint />
    </GraphiQL.Logo>
  </GraphiQL>,
);
