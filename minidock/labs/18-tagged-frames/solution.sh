cat >/run/functions.py <<'END'
def to_trunk(frame, vid):
    if Dot1Q not in frame:
        return Ether(src=frame.src, dst=frame.dst) / Dot1Q(vlan=vid, type=frame.type) / frame.payload


def to_access(frame, vid):
    if Dot1Q in frame and frame[Dot1Q].vlan == vid:
        return Ether(src=frame.src, dst=frame.dst, type=frame[Dot1Q].type) / frame[Dot1Q].payload
END
sed -i -e "/^VLANS/c VLANS = {\"vred\": $_VLAN1, \"vblue\": $_VLAN2}" -e '/^def to_/,/print/d' /run/switch.py
sed -i '/^VLANS/r /run/functions.py' /run/switch.py
/run/switch.py >/run/switch.log 2>&1 &
until grep -q ready /run/switch.log; do
    kill -0 $!
    sleep 0.05
done
