//! Designs and workloads to start from. Their JSON lies beside the sources and is part of the binary.

mod variables;

use serde_json::Value;

pub use variables::Variable;
use variables::{SMALLBANK, SYSBENCH, TATP, TPCC};

use crate::design::Diagnostic;
use crate::workload::{Workload, presets};

/// What a design template is good at showing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TemplateCategory {
    Oltp,
    Olap,
    WriteHeavy,
}

/// A ready-made design with the workload that suits it.
#[derive(Debug, Clone)]
pub struct Template {
    pub slug: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    pub category: TemplateCategory,
    /// Slug of a workload template.
    pub workload_slug: &'static str,
    canvas_json: &'static str,
}

impl Template {
    /// The canvas as JSON. Every template is valid, without warnings; a test holds it so.
    pub fn canvas(&self) -> Value {
        serde_json::from_str(self.canvas_json).unwrap_or_default()
    }
}

/// A ready-made workload.
#[derive(Debug, Clone)]
pub struct WorkloadTemplate {
    pub slug: &'static str,
    pub name: &'static str,
    pub description: &'static str,
    build: Build,
}

#[derive(Debug, Clone, Copy)]
enum Build {
    Fixed(fn() -> Workload),
    /// From the values of the variables, in their order.
    Scaled(&'static [Variable], fn(&[u64]) -> Workload),
}

impl WorkloadTemplate {
    /// With every variable at its default.
    pub fn workload(&self) -> Workload {
        match self.build {
            Build::Fixed(build) => build(),
            Build::Scaled(variables, build) => {
                build(&variables.iter().map(|variable| variable.default).collect::<Vec<u64>>())
            }
        }
    }

    /// What its user may choose beside what every workload has in its config.
    pub fn variables(&self) -> &'static [Variable] {
        match self.build {
            Build::Fixed(_) => &[],
            Build::Scaled(variables, _) => variables,
        }
    }

    /// With the variables that a JSON object states; the others keep their defaults.
    ///
    /// # Errors
    /// Every name that is not a variable's and every value that is none of it, with paths such as `["variables", "warehouses"]`.
    pub fn fill(&self, stated: &Value) -> Result<Workload, Vec<Diagnostic>> {
        let values = variables::read(self.variables(), stated)?;
        Ok(match self.build {
            Build::Fixed(build) => build(),
            Build::Scaled(_, build) => build(&values),
        })
    }
}

/// Every design template, in the order a gallery shows them.
pub fn designs() -> &'static [Template] {
    DESIGNS
}

/// The design template of this slug.
pub fn design(slug: &str) -> Option<&'static Template> {
    DESIGNS.iter().find(|template| template.slug == slug)
}

/// Every workload template, in the order a gallery shows them.
pub fn workloads() -> &'static [WorkloadTemplate] {
    WORKLOADS
}

/// The workload template of this slug.
pub fn workload(slug: &str) -> Option<&'static WorkloadTemplate> {
    WORKLOADS.iter().find(|template| template.slug == slug)
}

const DESIGNS: &[Template] = &[
    Template {
        slug: "heap-btree",
        name: "Heap + B+tree",
        description: "PostgreSQL's way: rows in a heap, found through a B+tree index, one small buffer pool, a log with group commit.",
        category: TemplateCategory::Oltp,
        workload_slug: "ycsb-a",
        canvas_json: include_str!("../templates/designs/heap-btree.json"),
    },
    Template {
        slug: "clustered-large-pool",
        name: "Clustered B+tree with a larger buffer pool",
        description: "InnoDB's way: rows inside the tree, so one search finds them, and a buffer pool that holds most of the table.",
        category: TemplateCategory::Oltp,
        workload_slug: "ycsb-a",
        canvas_json: include_str!("../templates/designs/clustered-large-pool.json"),
    },
    Template {
        slug: "full-scan-ssd",
        name: "Sequential scans on an SSD",
        description: "A heap read from end to end with read-ahead: what an analytical query costs without an index.",
        category: TemplateCategory::Olap,
        workload_slug: "full-scans",
        canvas_json: include_str!("../templates/designs/full-scan-ssd.json"),
    },
    Template {
        slug: "clustered-range-scan",
        name: "Range scans on a clustered B+tree",
        description: "Rows in key order: a range reads neighbouring pages instead of one page a row.",
        category: TemplateCategory::Olap,
        workload_slug: "ycsb-e",
        canvas_json: include_str!("../templates/designs/clustered-range-scan.json"),
    },
    Template {
        slug: "join-hash",
        name: "Orders with customers: hash join",
        description: "Every order with its customer: a hash table of the customers, in batches on temporary files where memory ends. Compare \
                      with the two other joins of the same tables.",
        category: TemplateCategory::Olap,
        workload_slug: "orders-with-customers",
        canvas_json: include_str!("../templates/designs/join-hash.json"),
    },
    Template {
        slug: "join-sort-merge",
        name: "Orders with customers: sort-merge join",
        description: "The same join by sorting both tables: every page goes to a run and comes back, however many customers there are.",
        category: TemplateCategory::Olap,
        workload_slug: "orders-with-customers",
        canvas_json: include_str!("../templates/designs/join-sort-merge.json"),
    },
    Template {
        slug: "join-nested-loop",
        name: "Orders with customers: index nested loop",
        description: "The same join with one search of an index for each order: best for few orders, and costly for all of them.",
        category: TemplateCategory::Olap,
        workload_slug: "orders-with-customers",
        canvas_json: include_str!("../templates/designs/join-nested-loop.json"),
    },
    Template {
        slug: "ingest-group-commit",
        name: "Ingest with group commit",
        description: "Inserts into a heap with an index; many clients share each flush of a log on its own device.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "inserts",
        canvas_json: include_str!("../templates/designs/ingest-group-commit.json"),
    },
    Template {
        slug: "ingest-async-cloud",
        name: "Asynchronous commit on a cloud volume",
        description: "Clustered rows on a cloud volume; commits do not wait for the log, which is flushed periodically.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "inserts",
        canvas_json: include_str!("../templates/designs/ingest-async-cloud.json"),
    },
    Template {
        slug: "lsm-leveled",
        name: "LSM tree, leveled compaction",
        description: "RocksDB's way: writes go to memory and to a log, files are merged level by level in the background; \
                      one run a level keeps reads cheap and is paid for in bytes written.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "inserts",
        canvas_json: include_str!("../templates/designs/lsm-leveled.json"),
    },
    Template {
        slug: "lsm-universal",
        name: "LSM tree, universal compaction",
        description: "The same tree, merging runs of similar size instead: each row is written fewer times, and a read has more \
                      runs to look into.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "inserts",
        canvas_json: include_str!("../templates/designs/lsm-universal.json"),
    },
    Template {
        slug: "postgres-15",
        name: "PostgreSQL 15",
        description: "A heap and a B+tree index with PostgreSQL's pages, clock sweep and synchronous group commit.",
        category: TemplateCategory::Oltp,
        workload_slug: "ycsb-a",
        canvas_json: include_str!("../templates/designs/postgres-15.json"),
    },
    Template {
        slug: "innodb",
        name: "InnoDB",
        description: "Rows clustered in a B+tree of 16 KiB pages, a midpoint LRU pool, a redo log flushed at each commit.",
        category: TemplateCategory::Oltp,
        workload_slug: "ycsb-a",
        canvas_json: include_str!("../templates/designs/innodb.json"),
    },
    Template {
        slug: "sqlite",
        name: "SQLite",
        description: "A rowid table in pages of 4 KiB behind a small LRU page cache.",
        category: TemplateCategory::Oltp,
        workload_slug: "ycsb-b",
        canvas_json: include_str!("../templates/designs/sqlite.json"),
    },
    Template {
        slug: "lmdb",
        name: "LMDB",
        description: "A B+tree in a memory map: reads cost little, the operating system's page cache is the pool.",
        category: TemplateCategory::Oltp,
        workload_slug: "ycsb-b",
        canvas_json: include_str!("../templates/designs/lmdb.json"),
    },
    Template {
        slug: "rocksdb",
        name: "RocksDB",
        description: "A leveled LSM tree with its default sizes: writes go to memory and a log that is not waited for.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "ycsb-a",
        canvas_json: include_str!("../templates/designs/rocksdb.json"),
    },
    Template {
        slug: "leveldb",
        name: "LevelDB",
        description: "An LSM tree with small buffers and files, compacted in turn, without filters.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "ycsb-a",
        canvas_json: include_str!("../templates/designs/leveldb.json"),
    },
    Template {
        slug: "tpc-c-postgres",
        name: "TPC-C on PostgreSQL",
        description: "The nine tables as heaps, eight of them found through B+tree indexes, behind one pool of 32 MiB.",
        category: TemplateCategory::Oltp,
        workload_slug: "tpc-c",
        canvas_json: include_str!("../templates/designs/tpc-c-postgres.json"),
    },
    Template {
        slug: "tpc-c-innodb",
        name: "TPC-C on InnoDB",
        description: "The nine tables clustered in B+trees of 16 KiB pages, behind one pool of 32 MiB.",
        category: TemplateCategory::Oltp,
        workload_slug: "tpc-c",
        canvas_json: include_str!("../templates/designs/tpc-c-innodb.json"),
    },
    Template {
        slug: "sysbench-innodb",
        name: "sysbench on InnoDB",
        description: "One clustered table with a second index on column k, which half of the updates change.",
        category: TemplateCategory::Oltp,
        workload_slug: "sysbench-read-write",
        canvas_json: include_str!("../templates/designs/sysbench-innodb.json"),
    },
    Template {
        slug: "smallbank-postgres",
        name: "SmallBank on PostgreSQL",
        description: "Three heaps with B+tree indexes; a few accounts take most of the changes.",
        category: TemplateCategory::Oltp,
        workload_slug: "smallbank",
        canvas_json: include_str!("../templates/designs/smallbank-postgres.json"),
    },
    Template {
        slug: "tatp-innodb",
        name: "TATP on InnoDB",
        description: "Four clustered tables; most requests read one row of one of them.",
        category: TemplateCategory::Oltp,
        workload_slug: "tatp",
        canvas_json: include_str!("../templates/designs/tatp-innodb.json"),
    },
    Template {
        slug: "bad-no-buffer",
        name: "To learn from: no buffer pool",
        description: "Every page a query touches is a request at the device. Add a pool between the storage and the disk, and compare.",
        category: TemplateCategory::Oltp,
        workload_slug: "ycsb-b",
        canvas_json: include_str!("../templates/designs/bad-no-buffer.json"),
    },
    Template {
        slug: "bad-no-index",
        name: "To learn from: no index",
        description: "A read of one row reads the whole table, because nothing says where the row is. Add an index scan, and compare.",
        category: TemplateCategory::Olap,
        workload_slug: "point-reads-small",
        canvas_json: include_str!("../templates/designs/bad-no-index.json"),
    },
    Template {
        slug: "bad-unused-index",
        name: "To learn from: an index nobody reads",
        description: "The clustered storage answers every read, so the second index only costs: each insert changes it too, and its pages push others out of the pool.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "inserts",
        canvas_json: include_str!("../templates/designs/bad-unused-index.json"),
    },
    Template {
        slug: "bad-fsync-each",
        name: "To learn from: a flush for every commit",
        description: "Without group commit, on a spinning disk: each transaction waits for a flush of its own.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "ycsb-a",
        canvas_json: include_str!("../templates/designs/bad-fsync-each.json"),
    },
    Template {
        slug: "bad-lsm-no-filter",
        name: "To learn from: an LSM tree without filters",
        description: "Many sorted runs and no Bloom filters: a read looks into one run after the other.",
        category: TemplateCategory::WriteHeavy,
        workload_slug: "ycsb-b",
        canvas_json: include_str!("../templates/designs/bad-lsm-no-filter.json"),
    },
];

const WORKLOADS: &[WorkloadTemplate] = &[
    WorkloadTemplate {
        slug: "ycsb-a",
        name: "YCSB A: update heavy",
        description: "Half reads, half updates of one row each; exact Zipf, theta 0.99.",
        build: Build::Fixed(presets::ycsb_a),
    },
    WorkloadTemplate {
        slug: "ycsb-b",
        name: "YCSB B: read mostly",
        description: "95 % reads, 5 % updates; exact Zipf, theta 0.99.",
        build: Build::Fixed(presets::ycsb_b),
    },
    WorkloadTemplate {
        slug: "ycsb-c",
        name: "YCSB C: read only",
        description: "Reads of one row each; exact Zipf, theta 0.99.",
        build: Build::Fixed(presets::ycsb_c),
    },
    WorkloadTemplate {
        slug: "ycsb-d",
        name: "YCSB D: read latest",
        description: "95 % reads that prefer the newest rows, 5 % inserts.",
        build: Build::Fixed(presets::ycsb_d),
    },
    WorkloadTemplate {
        slug: "ycsb-e",
        name: "YCSB E: short ranges",
        description: "95 % range scans of 1 to 100 rows, 5 % inserts; exact Zipf, theta 0.99.",
        build: Build::Fixed(presets::ycsb_e),
    },
    WorkloadTemplate {
        slug: "ycsb-f",
        name: "YCSB F: read-modify-write",
        description: "Half reads, half reads followed by an update of the same row in one transaction.",
        build: Build::Fixed(presets::ycsb_f),
    },
    WorkloadTemplate {
        slug: "point-reads-small",
        name: "Reads of a small table",
        description: "A thousand reads of one row each from 20,000 rows, uniformly chosen: small enough to run without an index.",
        build: Build::Fixed(presets::point_reads_small),
    },
    WorkloadTemplate {
        slug: "inserts",
        name: "Inserts",
        description: "New rows only, arriving in hashed key order from many clients.",
        build: Build::Fixed(presets::inserts),
    },
    WorkloadTemplate {
        slug: "full-scans",
        name: "Full scans",
        description: "Queries without a condition: each reads the whole table.",
        build: Build::Fixed(presets::full_scans),
    },
    WorkloadTemplate {
        slug: "tpc-c",
        name: "TPC-C",
        description: "Order entry: nine tables, five transactions in the mix 45/43/4/4/4, customers and items by NURand. Keying and \
                      think times are off.",
        build: Build::Scaled(TPCC, presets::tpcc::tpcc),
    },
    WorkloadTemplate {
        slug: "sysbench-read-only",
        name: "sysbench OLTP, read only",
        description: "Ten reads of a row and four ranges of 100 rows in each transaction; keys by sysbench's special distribution.",
        build: Build::Scaled(SYSBENCH, presets::sysbench::read_only),
    },
    WorkloadTemplate {
        slug: "sysbench-read-write",
        name: "sysbench OLTP, read and write",
        description: "Ten reads of a row, four ranges of 100 rows, two updates, a delete and an insert in each transaction.",
        build: Build::Scaled(SYSBENCH, presets::sysbench::read_write),
    },
    WorkloadTemplate {
        slug: "sysbench-write-only",
        name: "sysbench OLTP, write only",
        description: "Two updates, one of them of an indexed column, a delete and an insert in each transaction.",
        build: Build::Scaled(SYSBENCH, presets::sysbench::write_only),
    },
    WorkloadTemplate {
        slug: "smallbank",
        name: "SmallBank",
        description: "Six short transactions on savings and checking balances; nine of ten accounts chosen are among 4 % of them.",
        build: Build::Scaled(SMALLBANK, presets::smallbank::smallbank),
    },
    WorkloadTemplate {
        slug: "tatp",
        name: "TATP",
        description: "A mobile network's subscribers: seven very short transactions, four of five read one to three rows.",
        build: Build::Scaled(TATP, presets::tatp::tatp),
    },
    WorkloadTemplate {
        slug: "orders-with-customers",
        name: "Orders with their customers",
        description: "A report that joins 20,000 orders with 4,000 customers, one that wants its first hundred rows by day, and single orders with \
                      their customer.",
        build: Build::Fixed(presets::joins::orders_with_customers),
    },
];
