// Settings of Apollo Client's InMemoryCache for this schema; README.md beside this file says how to use them.
// Made from schema.graphql by api/tests/clients/cache-settings.mjs.

/** The types behind each interface, for fragments on interfaces. */
export const possibleTypes = {
  "AsyncJob": [
    "SimulationJob",
    "UserDataExportJob"
  ],
  "Node": [
    "BlockConfig",
    "Branch",
    "Design",
    "DesignVersion",
    "RunEvent",
    "SimulationJob",
    "SimulationRun",
    "Template",
    "User",
    "UserDataExportJob",
    "Workload"
  ],
  "Timestamped": [
    "BlockConfig",
    "Design",
    "Workload"
  ],
  "UserError": [
    "CanvasError",
    "InputError",
    "MergeConflictError",
    "QuotaError",
    "VersionConflictError"
  ]
};

/** Fields that are connections, by type, and which of their arguments make another list. */
export const connections = {
  "Design": {
    "branches": [],
    "versions": [
      "branch"
    ],
    "runs": [
      "filter",
      "orderBy"
    ]
  },
  "DesignVersion": {
    "runs": [
      "filter",
      "orderBy"
    ]
  },
  "Query": {
    "designs": [
      "filter",
      "orderBy"
    ],
    "templates": [
      "category"
    ],
    "workloadTemplates": [],
    "blockConfigs": [
      "type"
    ]
  },
  "SimulationJob": {
    "logs": [
      "minLevel"
    ]
  },
  "SimulationRun": {
    "events": [
      "types",
      "blockIds",
      "afterSequence"
    ]
  },
  "User": {
    "designs": [
      "filter"
    ],
    "workloads": [],
    "jobs": [
      "status"
    ],
    "runs": [
      "filter",
      "orderBy"
    ]
  },
  "Workload": {
    "runs": [
      "filter",
      "orderBy"
    ]
  }
};

/**
 * Options of an InMemoryCache: pages of one list merge, whatever their size.
 * @param {(keyArgs: string[] | false) => object} relayStylePagination from '@apollo/client/utilities'
 */
export function cacheOptions(relayStylePagination) {
  const typePolicies = Object.fromEntries(
    Object.entries(connections).map(([type, fields]) => [
      type,
      {
        fields: Object.fromEntries(
          Object.entries(fields).map(([field, keys]) => [field, relayStylePagination(keys.length > 0 ? keys : false)]),
        ),
      },
    ]),
  );
  // What is asked about the request itself has no id and is one object.
  typePolicies.RateLimit = { keyFields: [] };
  return { possibleTypes, typePolicies };
}
