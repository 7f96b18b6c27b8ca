"""Every way in which a config can change in meaning, and how grave each is.

Only the table is here: docs/config-by-pull-request.md is written from it, and each of its rows has a test. Breaking is
what a caller who did nothing wrong notices as a refusal, or as somebody else's data; risky is what moves traffic,
money or access; safe is the rest.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final, Literal

import msgspec

Kind = Literal[
    "added", "removed", "widened", "tightened", "raised", "lowered", "re-weighted", "re-ordered", "re-priced",
    "changed",
]  # fmt: skip
Severity = Literal["breaking", "risky", "safe"]
SEVERITIES: Final[tuple[Severity, ...]] = ("breaking", "risky", "safe")
"""The gravest first."""


class Rule(msgspec.Struct, frozen=True):
    """code: a stable slug. what: the change, for a table. why: the reason for its severity."""

    code: str
    kind: Kind
    severity: Severity
    what: str
    why: str


_ROUTERS: Final = (
    Rule("router-added", "added", "safe", "A router is added.", "Nobody calls it yet."),
    Rule("router-removed", "removed", "breaking", "A router is removed.", "Its URL answers 404."),
    Rule(
        "default-router",
        "changed",
        "breaking",
        "`default-router` names another router, or none.",
        "Every client of `/v1/` gets other policies.",
    ),
    Rule(
        "balance-added",
        "added",
        "risky",
        "A kind of request has a balance of its own.",
        "Requests that `default` served, or that were refused, go where it says.",
    ),
    Rule(
        "balance-removed",
        "removed",
        "breaking",
        "A kind of request has no balance of its own any more, and there is no `default`.",
        "Such requests are refused.",
    ),
    Rule(
        "balance-folded",
        "removed",
        "risky",
        "A kind of request has no balance of its own any more, and `default` serves it.",
        "Such requests go elsewhere.",
    ),
    Rule("strategy", "changed", "risky", "`strategy` is another.", "Requests are spread by another rule."),
    Rule("target-added", "added", "risky", "A target is added.", "Requests go where none went."),
    Rule("target-removed", "removed", "risky", "A target is removed.", "The others carry what it carried."),
    Rule(
        "target-model",
        "changed",
        "risky",
        "A target asks for another model of the same provider.",
        "Answers are another model's.",
    ),
    Rule(
        "target-price",
        "re-priced",
        "risky",
        "A target asks for another model, with another known price.",
        "Answers are another model's, and cost something else.",
    ),
    Rule("target-address", "changed", "breaking", "`base-url` of a target.", "Requests go to another server."),
    Rule("target-region", "changed", "safe", "`region` of a target.", "It is a label of metrics."),
    Rule(
        "optimize-for",
        "changed",
        "risky",
        "`optimize-for`: what is preferred, or what clients may ask for.",
        "Requests are spread by another rule; a wish that is no longer allowed gets 400.",
    ),
    Rule("weights", "re-weighted", "risky", "The shares of targets.", "Load and cost move between providers."),
    Rule("order", "re-ordered", "risky", "The order in which targets are tried.", "Another target gets it all."),
    Rule("mapping-added", "added", "risky", "A model mapping is added.", "Another model may answer."),
    Rule("mapping-removed", "removed", "risky", "A model mapping is removed.", "Fewer targets are eligible."),
    Rule("mapping-changed", "changed", "risky", "A model mapping names others.", "Another model answers."),
    Rule(
        "mapping-order",
        "re-ordered",
        "risky",
        "A model mapping prefers another.",
        "Another of its models answers first.",
    ),
)
_VIRTUAL: Final = (
    Rule("virtual-added", "added", "safe", "A virtual model is added.", "Nobody asks for it yet."),
    Rule(
        "virtual-shadowing",
        "added",
        "risky",
        "A virtual model is added that is called like a model.",
        "Whoever asks for that model gets what the rules say.",
    ),
    Rule("virtual-removed", "removed", "breaking", "A virtual model is removed.", "Nobody has a model of that name."),
    Rule("rule-added", "added", "risky", "A rule of a virtual model is added.", "What it matches goes elsewhere."),
    Rule("rule-removed", "removed", "risky", "A rule of a virtual model is removed.", "A later one decides."),
    Rule(
        "rule-default-removed",
        "removed",
        "breaking",
        "The rule without `when` is removed, and there is no other.",
        "Requests that no rule matches are refused.",
    ),
    Rule("rule-order", "re-ordered", "risky", "The order of rules.", "Another rule is the first that matches."),
    Rule("rule-condition", "changed", "risky", "A condition of a rule.", "It matches other requests."),
    Rule("rule-target", "changed", "risky", "What a rule leads to.", "Another model answers."),
    Rule("rule-shares", "re-weighted", "risky", "The shares of a split.", "So many users change sides."),
    Rule("rule-renamed", "changed", "safe", "The name of a rule.", "It is a label of replies and records."),
    Rule(
        "rule-split-renamed",
        "changed",
        "risky",
        "The name of a rule with a split.",
        "Who is on which side is drawn by it: everybody is dealt anew.",
    ),
)
_LIMITS: Final = (
    Rule("limit-added", "tightened", "risky", "A limit is added.", "Callers above it get 429."),
    Rule("limit-removed", "widened", "risky", "A limit is removed.", "Nothing bounds what it bounded."),
    Rule("limit-raised", "raised", "safe", "A limit is raised.", "Nobody is refused who was not."),
    Rule("limit-lowered", "lowered", "risky", "A limit is lowered.", "Callers above it get 429."),
    Rule(
        "limit-slashed",
        "lowered",
        "breaking",
        "A limit is lowered to less than a tenth.",
        "So much is no tuning: whoever used half of it is refused most of the time.",
    ),
    Rule(
        "limit-reshaped",
        "changed",
        "risky",
        "A limit allows more at once and less over time, or the other way about.",
        "Bursts or steady callers get 429.",
    ),
    Rule("limit-enforced", "tightened", "risky", "`enforce` is not `shadow` any more.", "What was counted is refused."),
    Rule("limit-shadowed", "widened", "risky", "`enforce` becomes `shadow`.", "What was refused is let through."),
)
_CACHES: Final = (
    Rule("cache-added", "added", "risky", "A cache is added.", "Callers get answers that were given before."),
    Rule("cache-removed", "removed", "risky", "A cache is removed.", "Every request is paid for."),
    Rule(
        "cache-shared",
        "widened",
        "breaking",
        "`scope` of a cache widens: `caller`, `team`, `router`.",
        "Answers cross from one tenant to another.",
    ),
    Rule("cache-separated", "tightened", "risky", "`scope` of a cache narrows.", "Fewer answers are given again."),
    Rule("cache-longer", "raised", "risky", "Answers are kept, or given stale, for longer.", "They are older."),
    Rule("cache-shorter", "lowered", "safe", "Answers are kept, or given stale, for less long.", "They are fresher."),
    Rule("cache-off", "changed", "risky", "`no-store` or `no-cache` comes or goes.", "What is given again changes."),
    Rule("cache-forgotten", "changed", "risky", "`seed` of a cache.", "What is kept is forgotten, and paid for again."),
    Rule("cache-tool-calls", "widened", "risky", "Answers that call tools are kept.", "An agent may go in circles."),
    Rule(
        "cache-size",
        "changed",
        "safe",
        "Sizes and buckets of a cache, `tool-calls: false`.",
        "No answer is wrong by it.",
    ),
)
_CARE: Final = (
    Rule("timeout-lowered", "tightened", "risky", "A timeout is shorter.", "What took longer fails."),
    Rule("timeout-raised", "raised", "safe", "A timeout is longer.", "Nothing fails that did not."),
    Rule(
        "retries-lowered", "lowered", "risky", "Fewer retries, or a smaller `budget`.", "More failures reach clients."
    ),
    Rule(
        "retries-raised", "raised", "risky", "More retries, or a larger `budget`.", "A provider in trouble gets more."
    ),
    Rule("retries-pace", "changed", "safe", "The delays between attempts.", "Outcomes stay the same."),
    Rule(
        "content-policy", "changed", "risky", "`on-content-policy`.", "A refusal is final, or another provider answers."
    ),
    Rule("on-disconnect", "changed", "risky", "`on-disconnect`.", "Calls that nobody waits for are paid for, or not."),
    Rule(
        "losses-rejected",
        "tightened",
        "breaking",
        "`on-loss` becomes `reject`.",
        "Requests that were served are refused.",
    ),
    Rule("losses-allowed", "widened", "risky", "`on-loss` becomes `allow`.", "Hints are dropped."),
    Rule("prompt-cache", "re-priced", "risky", "`prompt-cache`.", "Marked prefixes are billed otherwise."),
)
_ACCESS: Final = (
    Rule(
        "auth-opened", "widened", "breaking", "`auth.mode` is not `keys` any more.", "Anybody may call, at your cost."
    ),
    Rule("auth-closed", "tightened", "breaking", "`auth.mode` becomes `keys`.", "Callers without a key are refused."),
    Rule("auth-said", "changed", "safe", "`auth.mode: open` is said, or not.", "It was open on loopback already."),
    Rule("auth-pepper", "changed", "breaking", "`auth.pepper`.", "No key with a keyed hash is known any more."),
    Rule("key-added", "added", "risky", "A caller's key is added.", "One more may call."),
    Rule("key-removed", "removed", "breaking", "A caller's key is removed.", "Its bearer gets 401."),
    Rule("key-replaced", "changed", "breaking", "A key's `hash`, at once.", "The bearer of the old one gets 401."),
    Rule("key-rotated", "changed", "safe", "A key's `hash`, the old one in `previous`.", "Both are good for a while."),
    Rule("key-retired", "tightened", "risky", "`previous` of a key goes or ends sooner.", "The old secret gets 401."),
    Rule("key-retained", "widened", "risky", "`previous` of a key is added or ends later.", "An old secret is good."),
    Rule("key-expires-sooner", "tightened", "risky", "A key expires, or sooner.", "Its bearer gets 401 from then on."),
    Rule("key-expires-later", "widened", "risky", "A key expires later, or never.", "A lost key is good for longer."),
    Rule("key-team", "changed", "risky", "The team of a key or of an issuer.", "Limits and cache are another team's."),
    Rule(
        "key-signing-required", "tightened", "breaking", "`signing` becomes `required`.", "Unsigned requests get 401."
    ),
    Rule("key-signing", "changed", "risky", "`signing` otherwise.", "What proves the caller changes."),
    Rule("key-signing-secret", "changed", "breaking", "`signing-secret`.", "Signatures with the old one get 401."),
    Rule(
        "access-narrowed",
        "tightened",
        "breaking",
        "A list of routers, models, providers or networks of a key or an issuer allows less.",
        "Requests that were served get 403.",
    ),
    Rule("access-widened", "widened", "risky", "Such a list allows more.", "A caller reaches what it did not."),
    Rule("issuer-added", "added", "risky", "An issuer of tokens is added.", "All its bearers may call."),
    Rule("issuer-removed", "removed", "breaking", "An issuer of tokens is removed.", "Its bearers get 401."),
    Rule(
        "issuer-narrowed",
        "tightened",
        "breaking",
        "An issuer has fewer audiences or algorithms, or more required claims.",
        "Tokens that were good get 401.",
    ),
    Rule(
        "issuer-widened",
        "widened",
        "risky",
        "An issuer has more audiences or algorithms, or fewer required claims.",
        "Tokens are good that were not.",
    ),
    Rule(
        "issuer-changed",
        "changed",
        "risky",
        "Claims, teams, keys or leeway of an issuer.",
        "Bearers are read otherwise.",
    ),
)
_PROVIDERS: Final = (
    Rule("provider-added", "added", "safe", "A provider is added.", "No router sends to it by that alone."),
    Rule("provider-removed", "removed", "breaking", "A provider is removed.", "Its direct URL answers 404."),
    Rule("provider-disabled", "tightened", "breaking", "`enabled: false`.", "It is taken out of every router."),
    Rule("provider-enabled", "widened", "risky", "`enabled: true`.", "Routers that list it send to it."),
    Rule("provider-address", "changed", "breaking", "`base-url`.", "Prompts and credentials go to another server."),
    Rule("provider-dialect", "changed", "breaking", "`dialect` or `api-version`.", "Another wire format is spoken."),
    Rule("provider-auth", "changed", "breaking", "`auth`.", "The credential is sent otherwise."),
    Rule(
        "provider-account",
        "changed",
        "risky",
        "`project`, `region`, `deployments`.",
        "Another account or place answers.",
    ),
    Rule("provider-headers", "changed", "risky", "`headers`.", "It is told something else."),
    Rule("provider-key-added", "added", "safe", "A credential is added.", "There is more room."),
    Rule("provider-key-removed", "removed", "risky", "A credential is removed.", "There is less room."),
    Rule(
        "provider-keyless",
        "removed",
        "breaking",
        "The last credential is removed.",
        "It falls back to the environment, or is off.",
    ),
    Rule("provider-key-changed", "changed", "risky", "A credential is another.", "Another account pays."),
    Rule(
        "key-free",
        "re-priced",
        "risky",
        "`free` of a credential.",
        "What is asked with it costs nothing, or does again, in limits, budgets and reports.",
    ),
    Rule("price", "re-priced", "risky", "`prices` of a model.", "Limits, budgets, reports and `cost` count otherwise."),
    Rule("priced", "changed", "safe", "An empty `prices` comes or goes.", "Requests are priced, or are not."),
    Rule("key-room-lowered", "lowered", "risky", "`limit` of a credential is lower, or new.", "There is less room."),
    Rule(
        "key-room-raised", "raised", "safe", "`limit` of a credential is higher, or gone.", "The provider may say 429."
    ),
    Rule("models-narrowed", "tightened", "risky", "`models` of a provider are fewer.", "Requests go elsewhere."),
    Rule(
        "models-refused", "tightened", "breaking", "... with `models-closed`, or that is said.", "Requests are refused."
    ),
    Rule("models-widened", "widened", "safe", "`models` are more, or `models-closed` is gone.", "More is served."),
    Rule("operations-narrowed", "tightened", "breaking", "`operations` are fewer.", "Requests are refused."),
    Rule("operations-widened", "widened", "safe", "`operations` are more.", "More is served."),
    Rule("pacing", "changed", "safe", "`key-pool`, `breaker`, `stream-usage`.", "It is the gateway's own care."),
)
_SERVER: Final = (
    Rule(
        "listen", "changed", "breaking", "`host`, `port`, or whether there is `tls`.", "Clients call the old address."
    ),
    Rule("certificate", "changed", "risky", "Files of `tls`.", "Clients see another certificate."),
    Rule("accepted-less", "lowered", "risky", "`max-body-size` or `max-header-size` is smaller.", "More is refused."),
    Rule("accepted-more", "raised", "safe", "`max-body-size` or `max-header-size` is larger.", "Less is refused."),
    Rule("engine", "changed", "risky", "`engine`, `upstream-engine`.", "Other code moves the bytes."),
    Rule("proxies", "changed", "risky", "`trusted-proxies`.", "Callers' addresses are read otherwise."),
    Rule("process", "changed", "safe", "`workers`, `scheduling`, `logging`.", "Answers stay the same."),
    Rule("store", "changed", "risky", "`store.url` or `key-prefix`.", "Counts and kept answers begin anew."),
    Rule("store-outage", "changed", "risky", "`store.on-outage`.", "An outage refuses, or lets through."),
    Rule("store-link", "changed", "safe", "`store.timeout` or `client`.", "It is the same store."),
    Rule("ceilings", "changed", "risky", "`ceilings`.", "What a router may do is bounded otherwise."),
    Rule("owners", "changed", "risky", "`owners`.", "Others may define routers, and approve it."),
    Rule("other", "changed", "risky", "Whatever has no rule of its own.", "It has not been judged."),
)
_ADMIN: Final = (
    Rule("admin-on", "widened", "risky", "`admin` is added.", "Usage, quotas and state can be asked for."),
    Rule("admin-off", "removed", "breaking", "`admin` is removed.", "Whoever used the admin API gets 404."),
    Rule("admin-listen", "changed", "breaking", "`admin.host` or `port`.", "The admin API is at another address."),
    Rule(
        "admin-opened", "widened", "breaking", "The last of `admin.keys` is removed.", "Whoever is on the machine may."
    ),
    Rule("admin-key-added", "added", "risky", "A key of the admin API is added.", "One more may use it."),
    Rule("admin-key-removed", "removed", "breaking", "A key of the admin API is removed.", "Its bearer gets 401."),
    Rule("admin-role-raised", "widened", "risky", "`role` becomes `write`.", "Its bearer may change quotas."),
    Rule("admin-role-lowered", "tightened", "breaking", "`role` becomes `read`.", "Its bearer's changes get 403."),
)
_TELEMETRY: Final = (
    Rule("traces-on", "added", "risky", "`traces` is added.", "Names of callers and models go to a collector."),
    Rule("traces-off", "removed", "safe", "`traces` is removed.", "Answers stay the same."),
    Rule("traces-address", "changed", "risky", "`endpoint` or `headers` of traces.", "Spans go elsewhere."),
    Rule("traces-share", "changed", "safe", "`sampling` or `follow-clients`.", "More or fewer traces are kept."),
    Rule("traces-words", "changed", "risky", "`service-name` or `resource`.", "Dashboards look for the old words."),
    Rule("traces-told", "widened", "risky", "A provider is added to `propagate-to`.", "It learns ids of traces."),
    Rule("traces-told-less", "tightened", "safe", "`propagate-to` is less.", "A provider's spans stand alone."),
    Rule("alerts-on", "added", "safe", "`alerts` is added.", "Answers stay the same."),
    Rule("alerts-off", "removed", "risky", "`alerts` is removed.", "Nobody is woken."),
    Rule("webhook-added", "added", "safe", "A webhook is added.", "One more is told."),
    Rule("webhook-removed", "removed", "risky", "A webhook is removed.", "Who was told is told no more."),
    Rule("webhook-address", "changed", "risky", "`url` of a webhook.", "Another is told."),
    Rule("webhook-secret", "changed", "risky", "`secret` of a webhook.", "The receiver must know the new one."),
    Rule("webhook-events", "changed", "risky", "`events` of a webhook.", "It is told more, or less."),
    Rule("webhook-format", "changed", "risky", "`format` of a webhook.", "The receiver must read it."),
    Rule("alerts-threshold", "changed", "risky", "When something is told.", "There are more alerts, or fewer."),
    Rule("telemetry-pace", "changed", "safe", "Queues, timeouts and retries of these.", "Answers stay the same."),
)
_LEDGER: Final = (
    Rule("ledger-on", "added", "safe", "`ledger` is added.", "A row is kept of each exchange."),
    Rule("ledger-off", "removed", "breaking", "`ledger` is removed.", "Nothing is kept of what is used and owed."),
    Rule("ledger-place", "changed", "breaking", "`ledger.url`.", "Rows and balances begin anew elsewhere."),
    Rule("ledger-spool", "changed", "risky", "`ledger.spool`.", "What waits in the old folder waits on."),
    Rule("ledger-full", "changed", "risky", "`ledger.on-full`.", "A long outage refuses requests, or loses rows."),
    Rule("ledger-kept-shorter", "lowered", "breaking", "`ledger.retention` is shorter, or said.", "Rows are deleted."),
    Rule("ledger-kept-longer", "raised", "safe", "`ledger.retention` is longer, or gone.", "Rows stay for longer."),
    Rule("ledger-pace", "changed", "safe", "`ledger.batch`, `queue`, `max-spool`.", "It is how rows wait."),
)
_AUDIT: Final = (
    Rule("audit-on", "added", "risky", "`audit` is added.", "Who asks for what is written down."),
    Rule("audit-off", "removed", "risky", "`audit` is removed.", "Nothing is written down any more."),
    Rule("audit-place", "changed", "risky", "`to`, `path`, `endpoint`, `headers`.", "Others read the lines."),
    Rule("audit-keys", "changed", "risky", "A key of the audit log.", "Equal users look different, or others decrypt."),
    Rule("audit-kept-less", "lowered", "risky", "`keep`, `retention`, `max-body` are less.", "Old files are deleted."),
    Rule(
        "audit-kept-more", "raised", "risky", "`keep`, `retention`, `max-body` are more.", "More is known for longer."
    ),
    Rule("audit-users-plain", "widened", "risky", "`users` becomes `plain`.", "End users stand in the log by name."),
    Rule("audit-users-hashed", "tightened", "safe", "`users` becomes `hashed`.", "Less is known of end users."),
    Rule("audit-plaintext", "widened", "risky", "`plaintext-bodies: true`.", "Whoever reads the log reads bodies."),
    Rule(
        "audit-no-plaintext", "tightened", "safe", "`plaintext-bodies` is gone.", "Bodies are encrypted, or not kept."
    ),
    Rule("audit-pace", "changed", "safe", "Rotation, compression, `queue`, `timeout`.", "The same lines are written."),
    Rule("privacy-more", "widened", "risky", "`privacy.log` says more.", "More of requests is written down."),
    Rule("privacy-less", "tightened", "risky", "`privacy.log` says less.", "What was written down is not any more."),
)
_MONEY: Final = (
    Rule("budget-added", "tightened", "risky", "A `budget` is added.", "Who has spent it gets 429, or less."),
    Rule("budget-removed", "widened", "risky", "A `budget` is removed.", "Nothing bounds what is spent."),
    Rule("budget-raised", "raised", "safe", "A `budget` is raised.", "Nobody is refused who was not."),
    Rule("budget-lowered", "lowered", "risky", "A `budget` is lowered.", "Who has spent it gets 429, or less."),
    Rule(
        "budget-slashed",
        "lowered",
        "breaking",
        "A `budget` is lowered to less than a tenth.",
        "Whoever used a part of it is refused at once.",
    ),
    Rule("budget-exceeded", "changed", "risky", "`on-exceeded` of a budget.", "Another model answers, or none."),
    Rule("budget-alerts", "changed", "safe", "`alert-at` of a budget or of quotas.", "It is told at other times."),
    Rule("quotas-on", "tightened", "risky", "`quotas` is added.", "Who has spent what was prepaid gets 402."),
    Rule("quotas-off", "widened", "risky", "`quotas` is removed.", "What was prepaid bounds nobody."),
    Rule("quota-consumers", "changed", "risky", "`quotas.consumers`.", "Others are bounded by their balances."),
    Rule("quota-required", "tightened", "breaking", "`quotas.required: true`.", "Who has no balance gets 402."),
    Rule("quota-not-required", "widened", "risky", "`quotas.required` is gone.", "Who has no balance is not bounded."),
    Rule("quota-outage", "changed", "risky", "`quotas.on-outage`.", "An outage refuses, or lets through."),
    Rule("key-project", "changed", "risky", "`project` of a key or an issuer.", "Another project is charged."),
)
SECTIONS: Final[Mapping[str, tuple[Rule, ...]]] = MappingProxyType({
    "Routers": _ROUTERS, "Virtual models": _VIRTUAL, "Limits": _LIMITS, "Budgets and quotas": _MONEY, "Caches": _CACHES,
    "Retries, timeouts and losses": _CARE,
    "Access": _ACCESS, "Admin API": _ADMIN, "Audit and privacy": _AUDIT,
    "Providers": _PROVIDERS, "Server, store and files": _SERVER,
    "Ledger": _LEDGER,
    "Traces and alerts": _TELEMETRY,
})  # fmt: skip


def _by_code(rules: Iterable[Rule]) -> Mapping[str, Rule]:
    return MappingProxyType({rule.code: rule for rule in rules})


RULES: Final = _by_code(rule for rules in SECTIONS.values() for rule in rules)


def severity_tables() -> str:
    """The rules as Markdown."""
    parts = []
    for title, rules in SECTIONS.items():
        rows = [f"| {rule.what} | {rule.kind} | {rule.severity} | {rule.why} |" for rule in rules]
        parts.append("\n".join([f"#### {title}", "", "| what | kind | severity | why |", "|---|---|---|---|", *rows]))
    return "\n\n".join(parts) + "\n"
