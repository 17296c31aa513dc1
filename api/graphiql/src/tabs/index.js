import catalogue from './catalogue.graphql?raw';
import designsWithRuns from './designs-with-runs.graphql?raw';
import jobUpdates from './job-updates.graphql?raw';
import jobUpdatesVariables from './job-updates.json?raw';
import signIn from './sign-in.graphql?raw';
import signInVariables from './sign-in.json?raw';
import submitSimulation from './submit-simulation.graphql?raw';
import submitSimulationVariables from './submit-simulation.json?raw';
import validateCanvas from './validate-canvas.graphql?raw';
import validateCanvasVariables from './validate-canvas.json?raw';

/** The tabs of a fresh page, in the order in which a newcomer needs them. */
export const DEFAULT_TABS = [
  { query: signIn, variables: signInVariables },
  { query: designsWithRuns },
  { query: submitSimulation, variables: submitSimulationVariables },
  { query: jobUpdates, variables: jobUpdatesVariables },
  { query: validateCanvas, variables: validateCanvasVariables },
  { query: catalogue },
];
