# fails: reached
# mistake: proxy
minidock port add web "127.0.0.1:$ADMIN:8000"
minidock port rm db 5432
relay='
import socket, sys, threading
listener = socket.create_server(("0.0.0.0", int(sys.argv[1])))
def carry(source, sink):
    while data := source.recv(65536):
        sink.sendall(data)
    sink.shutdown(socket.SHUT_WR)
while True:
    client = listener.accept()[0]
    server = socket.create_connection((sys.argv[2], 80))
    for ends in ((client, server), (server, client)):
        threading.Thread(target=carry, args=ends, daemon=True).start()
'
python3 -c "$relay" "$PORT" "$(minidock exec web hostname -I | tr -d ' ')" &
until ss -Hltn "sport = :$PORT" | grep -q .; do :; done
