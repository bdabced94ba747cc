"""Why a proof failed, in the learner's language: a reason is a key with facts, and a sentence when it is shown."""

from __future__ import annotations

from minidock.model.record import Record

TYPE_CHECKING = False  # importing typing costs every command 2 ms
if TYPE_CHECKING:
    from typing import Any

LANGUAGES = ("en", "ko")


class Say(Record):
    """A sentence to be: its key and the facts in it."""

    key: str
    facts: tuple[tuple[str, str], ...] = ()

    def told(self, language: str) -> str:
        """The sentence."""
        return SENTENCES[self.key][LANGUAGES.index(language)].format(**dict(self.facts))


def say(key: str, **facts: Any) -> Say:
    """The sentence of that key with these facts, as text."""
    return Say(key, tuple((name, str(fact)) for name, fact in facts.items()))


class Unproven(Exception):
    """What a proof speaks of is not there, so that nothing could be tested."""

    def __init__(self, say: Say) -> None:
        super().__init__(say.told("en"))
        self.say = say


SENTENCES = {
    "no-place": ("there is no namespace or running container {place}",
                 "이름이 {place}인 네임스페이스나 실행 중인 컨테이너가 없습니다"),
    "no-device": ("there is no device {device}", "{device} 장치가 없습니다"),
    "device-down": ("{device} is down: nothing can be heard there",
                    "{device}가 내려가(down) 있어 아무것도 들리지 않습니다"),
    "no-address": ("{device} has no IPv4 address", "{device}에 IPv4 주소가 없습니다"),
    "not-sent": ("{place} could not send the probe: {error}", "{place}에서 프로브를 보내지 못했습니다: {error}"),
    "unseen": ("{at} did not see the probe within {ms} ms", "{ms} ms 안에 {at}에서 프로브가 보이지 않았습니다"),
    "no-reply": ("no reply was seen at {at} within {ms} ms", "{ms} ms 안에 {at}에 응답이 오지 않았습니다"),
    "no-error": ("no ICMP {icmp} was seen at {at} within {ms} ms", "{ms} ms 안에 {at}에 ICMP {icmp}가 오지 않았습니다"),
    "no-question": ("at {at} nobody asked who has {who} within {ms} ms",
                    "{ms} ms 안에 {at}에서 {who}의 주인을 묻는 프레임이 보이지 않았습니다"),
    "question-seen": ("at {at} somebody asked who has {who} (frame {frame})",
                      "{at}에서 누군가 {who}의 주인을 물었습니다 (프레임 {frame})"),
    "question-differs": ("at {at} the question for {who} had {field} {got}, not {wanted}",
                         "{at}에서 본 {who}에 대한 질문의 {field}: {got} (기대한 값: {wanted})"),
    "no-syn": ("no SYN to {who} was seen at {at} within {ms} ms",
               "{ms} ms 안에 {at}에서 {who}로 가는 SYN이 보이지 않았습니다"),
    "syn-differs": ("at {at} the SYN to {who} had {field} {got}, not {wanted}",
                    "{at}에서 본 {who}로 가는 SYN의 {field}: {got} (기대한 값: {wanted})"),
    "syn-not-that": ("{at} saw the SYN, but not as it should be", "{at}에서 SYN을 보았지만 기대한 모양이 아닙니다"),
    "differs": ("at {at} the probe had {field} {got}, not {wanted}",
                "{at}에서 본 프로브의 {field}: {got} (기대한 값: {wanted})"),
    "reply-differs": ("at {at} the reply had {field} {got}, not {wanted}",
                      "{at}에서 본 응답의 {field}: {got} (기대한 값: {wanted})"),
    "not-that": ("{at} saw the probe, but not as it should be", "{at}에서 프로브를 보았지만 기대한 모양이 아닙니다"),
    "counted": ("{at} saw {got} of {sent} probes, not {wanted}",
                "{at}에서 프로브 {sent}개 중 {got}개를 보았습니다 (기대: {wanted}개)"),
    "counted-right": ("{at} saw {got} of {sent}", "{at}에서 {sent}개 중 {got}개"),
    "responders": ("{got} different machines answered ({macs}), not {wanted}",
                   "{got}대가 응답했습니다({macs}). {wanted}대여야 합니다"),
    "changed": ("the frame at {at} is not byte for byte that at {other}",
                "{at}의 프레임이 {other}의 프레임과 바이트까지 같지 않습니다"),
    "took": ("{at} saw the probe after {ms} ms, which is not between {least} and {most} ms",
             "{at}에 프로브가 {ms} ms 만에 도착했습니다 (기대: {least}~{most} ms)"),
    "seen": ("{at} received the probe (frame {frame})", "{at}에 프로브가 도착했습니다 (프레임 {frame})"),
    "reply-seen": ("{at} received a reply (frame {frame})", "{at}에 응답이 도착했습니다 (프레임 {frame})"),
    "control": ("its control failed: {control}; so silence proves nothing",
                "대조 증명이 실패했습니다: {control}. 그래서 조용하다는 것만으로는 아무것도 증명되지 않습니다"),
    "printed": ("it printed: {got}", "출력: {got}"),
    "exit": ("it ended with exit code {got}", "종료 코드 {got}(으)로 끝났습니다"),
    "late": ("it did not end within {ms} ms", "{ms} ms 안에 끝나지 않았습니다"),
    "state": ("the kernel says otherwise: {got}", "커널의 상태가 다릅니다: {got}"),
    "state-no": ("the kernel says otherwise", "커널의 상태가 다릅니다"),
    "state-ok": ("so says the kernel", "커널도 그렇게 말합니다"),
    "never": ("{at} saw none of it; its control was seen", "{at}에서는 보이지 않았고, 대조 프로브는 보였습니다"),
    "arrived": ("{at} after {us} µs", "{at}에 {us} µs 만에 도착"),
    "refused": ("the kernel refused to send it: {error}", "커널이 전송을 거부했습니다: {error}"),
}
