ip tuntap add tap0 mode tap
ip link set tap0 up master lab0
cat >/run/answer.py <<'END'
def answer(frame):
    if ARP in frame and frame[ARP].op == 1 and frame[ARP].pdst == ADDRESS:
        asked = frame[ARP]
        return Ether(src=MAC, dst=frame.src) / ARP(
            op=2, hwsrc=MAC, psrc=ADDRESS, hwdst=asked.hwsrc, pdst=asked.psrc)
    if ICMP in frame and frame[ICMP].type == 8 and frame[IP].dst == ADDRESS:
        echo = frame[ICMP]
        return (Ether(src=MAC, dst=frame.src) / IP(src=ADDRESS, dst=frame[IP].src, ttl=TTL)
                / ICMP(type=0, id=echo.id, seq=echo.seq) / echo.payload)
END
sed -i -e '/^def answer/,/print/d' -e '/^TUNSETIFF/r /run/answer.py' /run/host.py
/run/host.py >/run/host.log 2>&1 &
until ip link show tap0 | grep -q LOWER_UP; do
    kill -0 $!
done
