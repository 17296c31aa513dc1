//! Standing in line for a lock: what the deadlock policy makes of a conflict, timers, and who goes on when locks go.

use serde_json::json;

use super::lock_table::{Answer, Item, Mode};
use super::{LOCK_WAITS, LOCKS_ACQUIRED, Reason, deadlock, item_json};
use crate::kernel::Kernel;
use crate::kernel::calendar::Event;
use crate::kernel::step::Flow;
use crate::plan::{DeadlockPolicy, Scheme, Victim};

impl Kernel<'_> {
    /// Takes a lock if that needs no wait.
    #[inline]
    pub(super) fn take_lock(&mut self, client: u32, item: Item, mode: Mode) -> bool {
        let Some(all) = &mut self.transactions else { return true };
        // A share lock of PostgreSQL joins other share locks, whoever waits for the row.
        let barge = all.spec.scheme == Scheme::Mvcc;
        match all.locks.request(client, item, mode, barge) {
            Answer::Held => true,
            Answer::Granted => {
                all.counters.add(LOCKS_ACQUIRED, 1);
                if self.clients[client as usize].traced {
                    self.tell_lock(client, "lock_acquired", item, mode);
                }
                if let Item::Table(_) = item {
                    self.keep_order_of_age(client, item, mode);
                }
                true
            }
            Answer::Conflict => false,
        }
    }

    /// A stronger lock of a table may stand in the way of those who wait for it already. Only the older (wait-die) or the younger
    /// (wound-wait) may wait.
    fn keep_order_of_age(&mut self, client: u32, item: Item, mode: Mode) {
        let Some(all) = &mut self.transactions else { return };
        let dies = match all.spec.policy {
            DeadlockPolicy::WaitDie => true,
            DeadlockPolicy::WoundWait => false,
            _ => return,
        };
        let mut waiters = Vec::new();
        all.locks.overtaken(client, item, mode, true, &mut waiters);
        let age = all.txns[client as usize].age;
        for other in waiters {
            let Some(all) = &mut self.transactions else { return };
            match (dies, all.txns[other as usize].age < age) {
                (true, false) => {
                    self.abort_transaction(other, Reason::LockConflict);
                }
                (false, true) => all.txns[client as usize].killed = Some(Reason::Wounded),
                _ => {}
            }
        }
    }

    fn tell_lock(&mut self, client: u32, kind: &'static str, item: Item, mode: Mode) {
        let Some(all) = &self.transactions else { return };
        let (block, number) = (all.block, all.txns[client as usize].number);
        self.trace.emit(self.now_ns + self.cpu_ns, block, kind, || {
            let mut payload = item_json(item);
            payload["mode"] = json!(mode.name());
            payload["transaction"] = json!(number);
            payload
        });
    }

    /// A lock is taken: the client waits for it, or its transaction, or another one, aborts. When its processor time has to pass
    /// first, the caller asks again.
    pub(super) fn stand_in_line(&mut self, client: u32, item: Item, mode: Mode) -> Flow {
        if self.cpu_ns > 0 {
            return Flow::Yield;
        }
        let now_ns = self.now_ns;
        let Some(all) = &mut self.transactions else { return Flow::Next };
        let age = all.txns[client as usize].age;
        let mut blockers = Vec::new();
        let dies = matches!(all.spec.policy, DeadlockPolicy::WaitDie);
        match all.spec.policy {
            DeadlockPolicy::NoWait => return self.abort_transaction(client, Reason::LockConflict),
            DeadlockPolicy::WaitDie => {
                all.locks.blockers(client, item, mode, &mut blockers);
                if blockers.iter().any(|other| all.txns[*other as usize].age < age) {
                    return self.abort_transaction(client, Reason::LockConflict);
                }
                // Who is overtaken waits for it from now on, which only the older may.
                blockers.clear();
                all.locks.overtaken(client, item, mode, false, &mut blockers);
                blockers.retain(|other| all.txns[*other as usize].age > age);
            }
            DeadlockPolicy::WoundWait => {
                // Who is overtaken waits for it from now on, which only the younger do.
                all.locks.overtaken(client, item, mode, false, &mut blockers);
                if blockers.iter().any(|other| all.txns[*other as usize].age < age) {
                    return self.abort_transaction(client, Reason::Wounded);
                }
                blockers.clear();
                all.locks.blockers(client, item, mode, &mut blockers);
                blockers.retain(|other| all.txns[*other as usize].age > age);
            }
            DeadlockPolicy::Detection { .. } | DeadlockPolicy::Timeout { .. } => {}
        }
        all.integrate(now_ns);
        all.locks.wait(client, item, mode);
        all.counters.add(LOCK_WAITS, 1);
        self.clients[client as usize].waiting_since_ns = now_ns;
        if self.clients[client as usize].traced {
            self.tell_lock(client, "lock_wait", item, mode);
        }
        for other in blockers {
            if dies {
                self.abort_transaction(other, Reason::LockConflict);
            } else {
                self.wound(other);
            }
        }
        let Some(all) = &mut self.transactions else { return Flow::Next };
        match all.spec.policy {
            DeadlockPolicy::Detection { after_ns: 0, .. } => self.break_circle(client),
            DeadlockPolicy::Detection { after_ns, .. } | DeadlockPolicy::Timeout { after_ns } => {
                let txn = &mut all.txns[client as usize];
                txn.due_ns = now_ns + after_ns;
                if !std::mem::replace(&mut txn.timer_set, true) {
                    self.calendar.schedule(now_ns + after_ns, Event::LockTimer(client));
                }
            }
            _ => {}
        }
        Flow::Wait
    }

    /// Someone older needs what this transaction holds. It aborts now if it waits, else at its next step.
    fn wound(&mut self, client: u32) {
        let Some(all) = &mut self.transactions else { return };
        let txn = &mut all.txns[client as usize];
        if txn.committing || txn.applying || !txn.active {
            return;
        }
        if all.locks.wait_of(client).is_some() {
            self.abort_transaction(client, Reason::Wounded);
        } else {
            txn.killed = Some(Reason::Wounded);
        }
    }

    /// A client has waited as long as its policy lets it.
    pub(crate) fn lock_timer(&mut self, client: u32) {
        let now_ns = self.now_ns;
        let Some(all) = &mut self.transactions else { return };
        let waits = all.locks.wait_of(client).is_some();
        let txn = &mut all.txns[client as usize];
        txn.timer_set = waits && txn.due_ns > now_ns;
        if txn.timer_set {
            // It waits for another lock than when the timer was set.
            return self.calendar.schedule(txn.due_ns, Event::LockTimer(client));
        }
        if !waits || txn.due_ns != now_ns {
            return;
        }
        match all.spec.policy {
            DeadlockPolicy::Timeout { .. } => {
                self.abort_transaction(client, Reason::LockTimeout);
            }
            _ => self.break_circle(client),
        }
    }

    /// Looks for a circle of waits through a client that has begun to wait, and aborts one transaction of each.
    fn break_circle(&mut self, client: u32) {
        loop {
            let Some(all) = &self.transactions else { return };
            let DeadlockPolicy::Detection { victim, .. } = all.spec.policy else { return };
            let clients = all.txns.len();
            let found = deadlock::circle(client, clients, |of, next| {
                if let Some((item, mode)) = all.locks.wait_of(of) {
                    all.locks.blockers(of, item, mode, next);
                }
            });
            let Some(circle) = found else { return };
            let aborts = match victim {
                Victim::Requester => client,
                Victim::FewestLocks => {
                    let locks = |of: &u32| all.locks.rows_held(*of);
                    circle.iter().copied().min_by_key(locks).unwrap_or(client)
                }
                Victim::Youngest => {
                    circle.iter().copied().max_by_key(|of| all.txns[*of as usize].age).unwrap_or(client)
                }
            };
            if self.clients[client as usize].traced {
                let numbers: Vec<u64> = circle.iter().map(|of| all.txns[*of as usize].number).collect();
                let (block, aborted) = (all.block, all.txns[aborts as usize].number);
                self.trace.emit(
                    self.now_ns,
                    block,
                    "deadlock_detected",
                    || json!({"cycle": numbers, "victim": aborted}),
                );
            }
            self.abort_transaction(aborts, Reason::Deadlock);
            let waits = |all: &super::Transactions| all.locks.wait_of(client).is_some();
            if !self.transactions.as_deref().is_some_and(waits) {
                return;
            }
        }
    }

    /// A client that waits for a lock waits no more, and goes on.
    pub(super) fn leave_line(&mut self, client: u32) {
        let now_ns = self.now_ns;
        let Some(all) = &mut self.transactions else { return };
        if all.locks.wait_of(client).is_none() {
            return;
        }
        all.integrate(now_ns);
        let mut granted = std::mem::take(&mut all.granted);
        granted.push(client);
        all.locks.cancel(client, &mut granted);
        self.go_on_with_granted(granted);
    }

    /// A transaction's locks go, and those who get them go on.
    pub(super) fn release_locks(&mut self, client: u32) {
        let now_ns = self.now_ns;
        let Some(all) = &mut self.transactions else { return };
        all.integrate(now_ns);
        let mut granted = std::mem::take(&mut all.granted);
        all.locks.release_all(client, &mut granted);
        self.go_on_with_granted(granted);
    }

    /// At read committed, shared locks last as long as their statement.
    pub(crate) fn end_statement(&mut self, client: u32) -> Flow {
        if self.cpu_ns > 0 {
            self.push(client, crate::kernel::step::Step::EndStatement);
            return Flow::Yield;
        }
        let now_ns = self.now_ns;
        let Some(all) = &mut self.transactions else { return Flow::Next };
        all.integrate(now_ns);
        let mut granted = std::mem::take(&mut all.granted);
        all.locks.release_shared_rows(client, &mut granted);
        self.go_on_with_granted(granted);
        Flow::Next
    }

    fn go_on_with_granted(&mut self, mut granted: Vec<u32>) {
        let Some(cause) = self.transactions.as_ref().map(|all| all.lock_wait) else { return };
        for client in granted.drain(..) {
            let waited_ns = self.now_ns - self.clients[client as usize].waiting_since_ns;
            self.charge(client, cause, waited_ns);
            self.ready.push_back(client);
        }
        if let Some(all) = &mut self.transactions {
            all.granted = granted;
        }
    }
}
