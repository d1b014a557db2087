//! The kinds of weakening: their stable names and what each means. The table in `docs/diff.md` is made from here.

use serde::{Serialize, Serializer};

macro_rules! kinds {
    ($($(#[$meta:meta])* $variant:ident $name:literal $title:literal $reason:literal;)*) => {
        /// A kind of weakening, the gravest first.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum WeakeningKind {
            $(#[doc = $title] $variant,)*
        }

        impl WeakeningKind {
            /// Every kind, the gravest first.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// Its name, which never changes.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }

            /// What it is, in a few words.
            pub fn title(self) -> &'static str {
                match self { $(Self::$variant => $title,)* }
            }

            /// When it is told, and why it matters.
            pub fn reason(self) -> &'static str {
                match self { $(Self::$variant => $reason,)* }
            }
        }
    };
}

kinds! {
    ApprovalRemoved "approval-removed" "An approval is gone"
        "An approval step was removed, or is no approval any more.";
    ApprovalBypassed "approval-bypassed" "An effect no longer passes an approval"
        "A step that acts outside (a workflow, a writing call, a tool, an agent with tools, a sub-process) was reached only through an approval, and now there is a way to it without one, or through a weaker one; or it starts now where an approval before it was rejected, not answered, skipped or not waited for. Told also where the step went to another process or file, and of a process that another one waits for where approvals after its first 64 changed, which are not compared.";
    ApprovalConditional "approval-conditional" "An approval may be skipped"
        "An approval got a condition, or the condition under which it is asked for changed: its own `when`, its `run_on`, the branches of the gateway before it, or the items of the loop around it, or what one of these reads. Whether the new condition holds less often cannot be computed.";
    FewerApprovers "fewer-approvers" "Fewer people are needed"
        "The number of people or groups went down, or a group that was needed is not needed any more.";
    AnyInsteadOfAll "any-instead-of-all" "One group is enough"
        "Each of several groups was needed, now some of them are enough.";
    WiderApprovers "wider-approvers" "More people may approve"
        "As many people are needed, out of a wider set.";
    OtherApprovers "other-approvers" "Other people may approve"
        "People may approve who could not before. Whether they are fewer or more cannot be seen from the definition. Told also where `people` of `flow.yaml` gives a login another account.";
    LowerRole "lower-role" "A lower permission is enough"
        "The permission on the repository that an approver needs is lower.";
    AnyOwner "any-owner" "An owner of any path is enough"
        "`codeowners: each_path` became `union`: an owner of one changed path now decides about all.";
    AuthorAllowed "author-allowed" "The author may approve"
        "`allow_author` was turned on: who wrote the change may approve it.";
    TimeoutApproves "timeout-approves" "Silence approves"
        "`on_timeout` became `approve` or `continue`: when the deadline passes the process goes on without a decision. Told also where such an approval got a deadline, or an earlier one.";
    RejectionContinues "rejection-continues" "A rejection does not stop"
        "`on_reject` became `continue`, or the failure of the approval, or of the loop or sub-process around it, is tolerated by `on_failure: continue` or `on_item_failure: continue`.";
    KeptOnPush "kept-on-push" "Approvals survive a push"
        "`keep_on_push` was loosened: an approval counts for commits that the person was not shown.";
    NoteNotRequired "note-not-required" "A decision needs no note"
        "`note_required` was loosened.";
    EscalationWider "escalation-wider" "More people decide after a while"
        "An escalation of an approval or of a policy adds people who could not decide before, or adds them sooner.";
    AssigneesWider "assignees-wider" "More people may answer a form"
        "Other or more people may fill in a form, or nobody has to.";
    PolicyRemoved "policy-removed" "A policy does not apply any more"
        "A step does not name its policy any more, a policy does not extend another one any more, or a policy governs fewer processes.";
    WindowWider "window-wider" "A window is wider"
        "A policy allows times that it did not allow, or has no window any more.";
    FreezeRemoved "freeze-removed" "A freeze is gone or shorter"
        "A policy allows what a freeze forbade. Freezes that have passed count as well: the comparison knows no clock.";
    QuotaRaised "quota-raised" "A quota is higher"
        "A policy allows more executions or more money, or has no limit any more.";
    GuaranteeDropped "guarantee-dropped" "A guarantee is gone"
        "A statement that validation proved is not made any more.";
    GuaranteeWeakened "guarantee-weakened" "A guarantee says less"
        "A statement that validation proved was replaced by one that does not imply it.";
    SecretHostChanged "secret-host-changed" "A secret goes to another host"
        "The host of a call that carries a secret changed, or is computed and may be one that it could not be.";
    SecretOverHttp "secret-over-http" "A secret travels in the open"
        "The address of a call that carries a secret was `https://` and is `http://`: everybody on the way can read it.";
    SecretRead "secret-read" "A secret is read elsewhere"
        "A step, tool, channel or trigger reads a secret that it did not read before.";
    SecretInPlainText "secret-in-plain-text" "A secret stands in plain text"
        "Something that looks like a token or a password was written into a file.";
    ToolApprovalLowered "tool-approval-lowered" "A tool asks less often"
        "`approval` of a tool went down: calls are made that a person had to allow before.";
    ToolWider "tool-wider" "A tool can do more"
        "More operations of a tool may be used.";
    AgentToolsWider "agent-tools-wider" "An agent has more tools"
        "An agent, or a step with an agent, may use tools that it could not use.";
    BudgetRaised "budget-raised" "A budget is higher"
        "An agent, a generation, a process or the whole repository may spend more, or has no limit any more.";
    ApprovalShowsLess "approval-shows-less" "An approval shows less"
        "The `description` of an approval is gone, or does not show a value any more that it showed: people decide without having seen it.";
    RevisionComputed "revision-computed" "A workflow runs at a computed revision"
        "The `ref` of a workflow was written out and is computed, or reads something else: whoever gives the values chooses what runs.";
    MessagesUnsigned "messages-unsigned" "Messages are not signed any more"
        "A channel has no `secret` any more: who receives its messages cannot tell who sent them.";
    RetriesRaised "retries-raised" "A write is repeated more often"
        "A step that writes outside is tried more often, or after more kinds of failure.";
    TimeoutLonger "timeout-longer" "A deadline is later"
        "A timeout is longer or gone, or is computed in another way. A default is told for each process that it is in force for, also where `flow.yaml` says it, and once for all steps of a process to which it does the same.";
    CommandRoleLowered "command-role-lowered" "A command needs less"
        "A command may be used with a lower permission.";
    LevelLowered "level-lowered" "A rule is less severe"
        "`validate.levels` lowers a rule or turns it off.";
    SuppressionAdded "suppression-added" "A finding is suppressed"
        "A comment hides a finding of validation that would be told.";
    WeakeningAllowed "weakening-allowed" "Weakenings do not fail the check"
        "`validate.fail_on_weakening` was turned off.";
    AuditElsewhere "audit-elsewhere" "The audit log leaves the repository"
        "`audit.ref` was taken away or is another one: what is decided from then on is not added to the reference that people look at.";
}

impl Serialize for WeakeningKind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl WeakeningKind {
    /// The table of the documentation, in Markdown.
    pub fn documentation() -> String {
        let row = |kind: &Self| format!("| `{}` | {}. {} |\n", kind.name(), kind.title(), kind.reason());
        let rows: String = Self::ALL.iter().map(row).collect();
        format!("| kind | what it means |\n|------|---------------|\n{rows}")
    }
}
