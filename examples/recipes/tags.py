"""Articles by tags."""

from store import store

ARTICLES = {
    "a1": {"rust", "database"},
    "a2": {"rust", "web"},
    "a3": {"python", "web", "database"},
    "a4": {"python"},
}
for tag in ("rust", "database", "web", "python"):
    store.delete(f"tag:{tag}")
for article, tags in ARTICLES.items():
    for tag in tags:
        store.sadd(f"tag:{tag}", article)

both = store.sinter("tag:web", "tag:database")
either = store.sunion("tag:rust", "tag:python")
without = store.sdiff("tag:web", "tag:python")
print("web and database:", both, "· rust or python:", sorted(either), "· web but not python:", without)
assert both == {"a3"} and len(either) == 4 and without == {"a2"}
assert store.sintercard(2, ["tag:web", "tag:python"]) == 1
