# fails: outside-1
# mistake: proxy
for side in "east 1" "west 2"; do
    set -- $side
    ip netns exec "$1" iptables -t nat -F PREROUTING
    ip netns exec "$1" iptables -t nat -F OUTPUT
    ip netns exec "$1" python3 - "$PORT" "10.$S.$2.2" <<'END'
import os, socket, sys, threading

listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
if os.fork():
    sys.exit()


def carry(source, target):
    while data := source.recv(65536):
        target.sendall(data)
    target.shutdown(socket.SHUT_WR)


while True:
    asking = listener.accept()[0]
    asked = socket.create_connection((sys.argv[2], 80))
    threading.Thread(target=carry, args=(asking, asked), daemon=True).start()
    threading.Thread(target=carry, args=(asked, asking), daemon=True).start()
END
done
