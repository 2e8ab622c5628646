"""The nearest shops, and those in a box."""

from store import store

SHOPS = {
    "Alexanderplatz": (13.4132, 52.5219),
    "Zoo": (13.3327, 52.5072),
    "Potsdam": (13.0645, 52.3906),
    "Hamburg": (9.9937, 53.5511),
    "Prague": (14.4378, 50.0755),
}
store.delete("shops")
store.geoadd("shops", [value for name, place in SHOPS.items() for value in (*place, name)])

near = store.geosearch("shops", longitude=13.3777, latitude=52.5163, unit="km", radius=30, sort="ASC", withdist=True)
print("within 30 km of the Brandenburg Gate:", near)
assert [name for name, _ in near] == ["Alexanderplatz", "Zoo", "Potsdam"]
assert 2 < near[0][1] < 3

box = store.geosearch("shops", member="Zoo", unit="km", width=700, height=500, sort="DESC")
print("in the box:", box)
assert box == ["Hamburg", "Potsdam", "Alexanderplatz", "Zoo"]
distance = store.geodist("shops", "Zoo", "Prague", unit="km")
assert 275 < distance < 285
print(f"Zoo to Prague: {distance:.0f} km")
