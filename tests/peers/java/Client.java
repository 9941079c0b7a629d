import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpClient.Version;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse.BodyHandlers;
import java.net.http.HttpTimeoutException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** Client GO: calls the callee at this address over HTTP/1.1, then offering HTTP/2, and says `ok` of each thing. */
public class Client {
    static String base;
    static int failed = 0;

    interface Check {
        void run() throws Exception;
    }

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable e) {
            failed++;
            System.out.println("FAILED " + name + ": " + e);
        }
    }

    static void same(Object got, Object wanted) {
        if (!got.equals(wanted)) throw new AssertionError(got + " in the place of " + wanted);
    }

    static HttpRequest.Builder to(String path) {
        return HttpRequest.newBuilder(URI.create(base + path));
    }

    static void all(Version version) {
        var client = HttpClient.newBuilder().version(version).build();
        check(version + " get", () -> {
            for (int i = 0; i < 3; i++) same(client.send(to("/version").build(), BodyHandlers.ofString()).statusCode(), 200);
        });
        check(version + " post", () -> {
            var request = to("/echo").POST(BodyPublishers.ofString("hello")).build();
            same(client.send(request, BodyHandlers.ofString()).body(), "hello");
        });
        check(version + " large", () -> {
            var answer = client.send(to("/bytes?n=20000000").build(), BodyHandlers.ofByteArray());
            same(answer.body().length, 20_000_000);
            var sent = to("/digest").POST(BodyPublishers.ofByteArray(answer.body())).build();
            var said = client.send(sent, BodyHandlers.ofString()).body();
            if (!said.startsWith("20000000 ")) throw new AssertionError(said);
        });
        check(version + " many at once", () -> {
            List<CompletableFuture<Void>> calls = new ArrayList<>();
            for (int i = 0; i < 100; i++) {
                String text = "call " + i;
                var request = to("/echo").POST(BodyPublishers.ofString(text)).build();
                calls.add(client.sendAsync(request, BodyHandlers.ofString()).thenAccept(a -> same(a.body(), text)));
            }
            for (var call : calls) call.get();
        });
        check(version + " time-out", () -> {
            try {
                client.send(to("/held").timeout(Duration.ofMillis(300)).build(), BodyHandlers.ofString());
            } catch (HttpTimeoutException e) {
                return;
            }
            throw new AssertionError("there was an answer");
        });
    }

    public static void main(String[] args) {
        base = "http://" + args[0];
        all(Version.HTTP_1_1);
        all(Version.HTTP_2);
        System.exit(failed == 0 ? 0 : 1);
    }
}
