package shop;

import com.google.gson.*;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetSocketAddress;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpRequest.BodyPublishers;
import java.net.http.HttpResponse;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.time.Instant;
import java.util.*;
import java.util.concurrent.*;

/**
 * Orders. POST /orders {"user"} asks cart, catalogue and payments, stores the order in PostgreSQL, then tells cart and
 * mailer. GET /orders/ID answers an order.
 */
public class Orders {
    static final String CART = env("CART_URL"), CATALOGUE = env("CATALOGUE_URL"), PAYMENTS = env("PAYMENTS_URL");
    static final String MAILER = env("MAILER_URL"), DATABASE = env("JDBC_URL");
    static final HttpClient CLIENT = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
    static final Gson JSON =
            new GsonBuilder().setFieldNamingPolicy(FieldNamingPolicy.LOWER_CASE_WITH_UNDERSCORES).create();

    // What goes over the wire: priceCents is price_cents there.
    record Item(String product, int quantity) {}
    record Cart(List<Item> items) {}
    record Product(String id, int priceCents) {}
    record Payment(String id) {}
    record Line(String product, int quantity, int priceCents) {}
    record Order(long id, String user, long totalCents, String paymentId, List<Line> lines) {}
    record NewOrder(String user) {}
    record Failure(String error) {}

    /** What a caller gets instead of an answer. */
    static class Problem extends Exception {
        final int status;

        Problem(int status, String message) {
            super(message);
            this.status = status;
        }
    }

    static Order place(String user) throws Problem {
        List<Item> items = call("cart", "GET", CART + "/carts/" + user, null, Cart.class).items;
        if (items.isEmpty()) throw new Problem(409, "the cart of " + user + " is empty");
        Product[] products = call("catalogue", "GET", CATALOGUE + "/products", null, Product[].class);
        List<Line> lines = new ArrayList<>();
        long total = 0;
        for (Item item : items) {
            int price = 0;
            for (Product product : products) if (product.id.equals(item.product)) price = product.priceCents;
            if (price == 0) throw new Problem(409, "the shop no longer has " + item.product);
            lines.add(new Line(item.product, item.quantity, price));
            total += (long) item.quantity * price;
        }
        var charge = Map.of("user", user, "amount_cents", total);
        String paymentId = call("payments", "POST", PAYMENTS + "/payments", charge, Payment.class).id;
        Order order = store(user, total, paymentId, lines);

        // The order stands. What fails from here on is logged, and not the buyer's problem.
        try {
            call("cart", "DELETE", CART + "/carts/" + user, null, Cart.class);
        } catch (Problem e) {
            log("WARN", "order " + order.id + ": the cart was not emptied: " + e.getMessage());
        }
        try {
            String text = String.format("Thank you! You paid %d.%02d euro.", total / 100, total % 100);
            var mail = Map.of("user", user, "subject", "Your order " + order.id, "body", text);
            call("mailer", "POST", MAILER + "/mails", mail, Object.class);
        } catch (Problem e) {
            log("WARN", "order " + order.id + ": no mail was sent: " + e.getMessage());
        }
        return order;
    }

    /** Stores the order with all its lines, or nothing. */
    static Order store(String user, long total, String paymentId, List<Line> lines) throws Problem {
        try (Connection db = connect()) {
            db.setAutoCommit(false);
            var insert = db.prepareStatement(
                    "INSERT INTO orders (user_id, total_cents, payment_id) VALUES (?, ?, ?) RETURNING id");
            bind(insert, user, total, paymentId);
            var row = insert.executeQuery();
            row.next();
            long id = row.getLong("id");
            var insertLine = db.prepareStatement("INSERT INTO order_lines VALUES (?, ?, ?, ?)");
            for (Line line : lines) {
                bind(insertLine, id, line.product, line.quantity, line.priceCents).executeUpdate();
            }
            db.commit();
            return new Order(id, user, total, paymentId, lines);
        } catch (SQLException e) {
            throw new Problem(503, "paid (" + paymentId + ") but not stored: database: " + e.getMessage());
        }
    }

    static Order find(long id) throws Problem {
        try (Connection db = connect()) {
            var row = bind(db.prepareStatement("SELECT * FROM orders WHERE id = ?"), id).executeQuery();
            if (!row.next()) throw new Problem(404, "no such order: " + id);
            var select = db.prepareStatement("SELECT * FROM order_lines WHERE order_id = ? ORDER BY product_id");
            var line = bind(select, id).executeQuery();
            List<Line> lines = new ArrayList<>();
            while (line.next()) {
                lines.add(new Line(line.getString("product_id"), line.getInt("quantity"), line.getInt("price_cents")));
            }
            return new Order(
                    id, row.getString("user_id"), row.getLong("total_cents"), row.getString("payment_id"), lines);
        } catch (SQLException e) {
            throw new Problem(503, "database is not available: " + e.getMessage());
        }
    }

    static Connection connect() throws SQLException {
        Properties seconds = new Properties();
        // The first login takes a second of work and more: passwords are hashed some thousand times, by code just loaded.
        seconds.setProperty("connectTimeout", "1");
        for (String name : List.of("loginTimeout", "socketTimeout")) seconds.setProperty(name, "10");
        return DriverManager.getConnection(DATABASE, seconds);
    }

    static PreparedStatement bind(PreparedStatement statement, Object... values) throws SQLException {
        for (int i = 0; i < values.length; i++) statement.setObject(i + 1, values[i]);
        return statement;
    }

    /** Calls another service; its answer as a T, a Problem with its name otherwise. */
    static <T> T call(String service, String method, String url, Object body, Class<T> type) throws Problem {
        var content = body == null ? BodyPublishers.noBody() : BodyPublishers.ofString(JSON.toJson(body));
        var request = HttpRequest.newBuilder(URI.create(url)).header("Content-Type", "application/json");
        HttpResponse<String> response;
        try {
            response = CLIENT.sendAsync(request.method(method, content).build(), BodyHandlers.ofString())
                    .get(2, TimeUnit.SECONDS);
        } catch (TimeoutException e) {
            throw new Problem(503, service + " is not available: no answer within 2 s");
        } catch (Exception e) {
            throw new Problem(503, service + " is not available: " + e.getMessage());
        }
        int status = response.statusCode();
        try {
            if (status < 300) return JSON.fromJson(response.body(), type);
        } catch (JsonParseException e) {
            throw new Problem(502, service + " answered " + status + ", but not with JSON");
        }
        String said;
        try {
            said = JSON.fromJson(response.body(), Failure.class).error;
        } catch (RuntimeException e) {
            said = response.body().strip(); // not one of ours: something in between
        }
        // Only a declined payment is the buyer's business.
        throw new Problem(status == 402 ? 402 : 502, service + " answered " + status + ": " + said);
    }

    static void handle(HttpExchange exchange) throws IOException {
        String method = exchange.getRequestMethod(), path = exchange.getRequestURI().getPath();
        int status = 200;
        Object answer;
        try {
            if (method.equals("POST") && path.equals("/orders")) {
                NewOrder order = JSON.fromJson(new InputStreamReader(exchange.getRequestBody()), NewOrder.class);
                if (order == null || order.user == null || !order.user.matches("[A-Za-z0-9_-]+")) {
                    throw new Problem(400, "user is needed");
                }
                answer = place(order.user);
                status = 201;
            } else if (method.equals("GET") && path.matches("/orders/[0-9]{1,18}")) {
                answer = find(Long.parseLong(path.substring("/orders/".length())));
            } else {
                throw new Problem(404, "no such page: " + method + " " + path);
            }
        } catch (Problem e) {
            status = e.status;
            answer = new Failure(e.getMessage());
        } catch (JsonParseException e) {
            status = 400;
            answer = new Failure("the body must be JSON");
        } catch (RuntimeException e) {
            status = 500;
            answer = new Failure(e.toString());
        }
        byte[] bytes = (JSON.toJson(answer) + "\n").getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        try (var out = exchange.getResponseBody()) {
            out.write(bytes);
        }
        String why = answer instanceof Failure failure ? " " + failure.error : "";
        log(status < 400 ? "INFO" : status < 500 ? "WARN" : "ERROR", method + " " + path + " " + status + why);
    }

    static void log(String level, String message) {
        System.out.println(Instant.now() + " " + level + " " + message);
    }

    static String env(String name) {
        String value = System.getenv(name);
        if (value != null) return value;
        System.err.println("orders: " + name + " is not set");
        System.exit(1);
        return null;
    }

    public static void main(String[] args) throws IOException {
        System.setProperty("sun.net.httpserver.nodelay", "true");
        HttpServer server = HttpServer.create(new InetSocketAddress(8080), 0);
        server.createContext("/", Orders::handle);
        server.setExecutor(Executors.newFixedThreadPool(16));
        server.start();
        log("INFO", "listening on port 8080");
    }
}
