"""RuleSet: all firewall rules of one scope, over all tables and both families, in one atomic batch."""

from __future__ import annotations

from minidock.kernel import nft, nft_read
from minidock.kernel.handle import Kernel
from minidock.kernel.iptables import command, program
from minidock.model.firewall import Chain, Policy, Rule
from minidock.objects.base import KernelObject

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any


def _chain_command(chain: Chain, verb: str) -> str:
    """The user's chain may be there before us, and stays while it holds rules."""
    words = f"{program(chain.family)} -t {chain.table} {verb} {chain.name}"
    return f"{words} 2>/dev/null || true" if chain.kept else words


class RuleSet(KernelObject):
    """Chains, policies and rules that come and go together."""

    chains: tuple[Chain, ...]
    policies: tuple[Policy, ...]
    rules: tuple[Rule, ...]
    netns: str = ""

    @property
    def ordered(self) -> bool:
        return not self.netns

    def renews(self, older: KernelObject) -> bool:
        if not isinstance(older, RuleSet) or self.chains or older.chains or self.policies or older.policies:
            return False
        return self.netns == older.netns and self._owners() == older._owners()

    def _owners(self) -> set[str]:
        return {rule.owner for rule in self.rules}

    @property
    def home(self) -> str:
        return self.netns

    def create(self, kernel: Kernel) -> list[int]:
        return list(nft.apply(kernel.netfilter(self.netns), self.chains, self.policies, self.rules))

    def renew(self, kernel: Kernel) -> list[int]:
        kernel.rules_deleted()
        return list(nft.replace(kernel.netfilter(self.netns), [(self.chains, self.policies, self.rules)])[0])

    def delete(self, kernel: Kernel, memo: Any = None) -> None:
        kernel.rules_deleted()
        nft.remove(kernel.netfilter(self.netns), self.chains, self.policies, self.rules, tuple(memo or ()))

    def exists(self, kernel: Kernel) -> bool:
        try:
            socket = kernel.netfilter(self.netns)
        except FileNotFoundError:  # its namespace has lost its name
            return False
        present = {(own.family, own.table, own.chain, own.comment, own.spec)
                   for own in nft_read.owned(socket)}
        wanted = {(rule.family, rule.table, rule.chain, rule.comment, rule.spec) for rule in self.rules}
        return wanted <= present

    def shell(self) -> tuple[str, ...]:
        chains = [_chain_command(chain, "-N") for chain in self.chains]
        policies = [f"{program(item.family)} -t {item.table} -P {item.chain} {item.policy}"
                    for item in self.policies]
        return self._there(*chains, *policies, *(command(rule) for rule in self.rules))

    def shell_undo(self) -> tuple[str, ...]:
        rules = [command(rule, "-D") for rule in reversed(self.rules)]
        policies = [f"{program(item.family)} -t {item.table} -P {item.chain} {item.was}"
                    for item in self.policies]
        chains = [_chain_command(chain, "-X") for chain in reversed(self.chains)]
        return self._there(*rules, *policies, *chains)

    def _there(self, *commands: str) -> tuple[str, ...]:
        """The commands, typed where the rules are."""
        return tuple(f"ip netns exec {self.netns} {words}" for words in commands) if self.netns else commands

    def told(self, made: bool = True) -> list[tuple[str, str]]:
        """Each rule with its own reason."""
        commands = self.shell() if made else self.shell_undo()
        reasons = {self._there(command(rule))[0]: rule.why for rule in self.rules}
        told = [(command, reasons.get(command, "")) for command in commands]
        return [(told[0][0], told[0][1] or self.why), *told[1:]] if told else []
