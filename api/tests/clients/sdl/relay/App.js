const { graphql } = require('relay-runtime');

graphql`
  fragment App_runs on Design
  @refetchable(queryName: "AppRunsPaginationQuery")
  @argumentDefinitions(first: { type: "Int", defaultValue: 10 }, after: { type: "String" }) {
    runs(first: $first, after: $after) @connection(key: "App_runs") {
      edges { cursor node { id status } }
      pageInfo { hasNextPage endCursor }
    }
  }
`;
graphql`query AppQuery($id: ID!) { node(id: $id) { ...App_runs @alias } }`;
graphql`mutation AppSubmitMutation($input: SimulationJobSubmitInput!) { simulationJobSubmit(input: $input) { job { id status } userErrors { message code } } }`;
graphql`subscription AppWatchSubscription($id: ID!) { simulationJobUpdated(id: $id) { job { id progress } } }`;
