#import "support.h"

#include <stdexcept>
#include <thread>

/** Counts what becomes of it. */
@interface Probe : NSObject
@property(nonatomic, strong) Probe *next;
@property(nonatomic, weak) Probe *owner;
@property(nonatomic, copy) NSString *name;
@property(nonatomic) double number;
- (NSOperatingSystemVersion)three;
- (void)fail;
@end

static int gone = 0;

@implementation Probe {
  std::string _text;  // constructed and destroyed by the runtime
}

- (instancetype)init {
  EQUAL(_text.size(), 0u);
  _text = "longer than what a string keeps inside itself";
  return self;
}

- (void)dealloc {
  gone++;
}

- (NSOperatingSystemVersion)three {
  return {1, 2, 3};
}

- (void)fail {
  throw std::runtime_error("from a method");
}

@end

@interface Special : Probe
@end

@implementation Special

- (NSOperatingSystemVersion)three {
  NSOperatingSystemVersion version = [super three];
  version.patchVersion = 30;
  return version;
}

@end

@interface Probe (Extra)
- (int)twice:(int)value;
@end

@implementation Probe (Extra)

- (int)twice:(int)value {
  return 2 * value;
}

@end

CASE("an object lives as long as a strong reference holds it") {
  @autoreleasepool {
    Probe *probe = [Probe new];
    NSArray *again = @[ probe ];
    probe = nil;
    EQUAL(gone, 0);
    EQUAL(objcLiveObjectsOf("Probe"), 1);
    EQUAL(again.count, 1u);
    again = nil;
  }
  EQUAL(gone, 1);
  EQUAL(objcLiveObjectsOf("Probe"), 0);
}

CASE("strong members go with their owner") {
  {
    Probe *chain = [Probe new];
    chain.next = [Probe new];
    chain.next.next = [Probe new];
    EQUAL(objcLiveObjectsOf("Probe"), 3);
  }
  EQUAL(gone, 3);
}

CASE("a weak reference does not hold, and becomes nil") {
  Probe *owner = [Probe new];
  Probe *owned = [Probe new];
  owned.owner = owner;
  owner.next = owned;
  __weak Probe *weak = owner;
  EXPECT(weak == owner);
  @autoreleasepool {
    EXPECT(owned.owner == owner);
  }
  owner = nil;
  EQUAL(gone, 1);
  EXPECT(weak == nil);
  EXPECT(owned.owner == nil);
}

CASE("weak references can be copied and moved") {
  Probe *probe = [Probe new];
  struct Holder {
    __weak Probe *probe;
  };
  std::vector<Holder> holders(1, Holder{probe});
  for (int i = 0; i < 100; i++) holders.push_back(holders.front());
  @autoreleasepool {
    for (const Holder &holder : holders) EXPECT(holder.probe == probe);
  }
  probe = nil;
  for (const Holder &holder : holders) EXPECT(holder.probe == nil);
}

CASE("an autorelease pool lets go of what a method returned") {
  @autoreleasepool {
    NSString *made = [NSString stringWithFormat:@"%s of %d", "a string", 26];
    EQUAL(made, "a string of 26");
    EXPECT(objcLiveObjectsOf("NSString") > 0);
  }
  EQUAL(objcLiveObjectsOf("NSString"), 0);
}

CASE("pools nest") {
  @autoreleasepool {
    NSArray *outer = [NSArray arrayWithObject:@"outer"];
    @autoreleasepool {
      [NSArray arrayWithObject:@"inner"];
      EQUAL(objcLiveObjectsOf("NSArray"), 2);
    }
    EQUAL(objcLiveObjectsOf("NSArray"), 1);
    EQUAL(outer.count, 1u);
  }
}

CASE("a block keeps what it captures, until it goes") {
  void (^block)(void);
  __block int calls = 0;
  {
    Probe *probe = [Probe new];
    probe.number = 2.5;
    block = ^{
      calls++;
      EQUAL(probe.number, 2.5);
    };
  }
  EQUAL(gone, 0);
  block();
  block = nil;
  EQUAL(gone, 1);
  EQUAL(calls, 1);
}

CASE("a block captures weakly where it is told to") {
  Probe *probe = [Probe new];
  __weak Probe *weak = probe;
  bool (^alive)(void) = ^{
    return weak != nil;
  };
  EXPECT(alive());
  probe = nil;
  EXPECT(!alive());
}

CASE("blocks in containers and in C++ closures are copied to the heap") {
  NSMutableArray *blocks = [NSMutableArray array];
  std::vector<int (^)(void)> more;
  for (int i = 0; i < 3; i++) {
    [blocks addObject:^{
      return 10 * i;
    }];
    more.push_back(^{
      return i;
    });
  }
  int sum = 0;
  for (int (^block)(void) in blocks) sum += block();
  for (int (^block)(void) : more) sum += block();
  EQUAL(sum, 33);
}

CASE("messages to nil answer nothing") {
  Probe *nobody = nil;
  EQUAL([nobody twice:4], 0);
  EQUAL(nobody.number, 0.0);
  EQUAL([nobody three].patchVersion, 0);
  EXPECT(nobody.next.next == nil);
}

CASE("categories add, subclasses override and call the class above") {
  Special *special = [Special new];
  EQUAL([special twice:21], 42);
  EQUAL([special three].minorVersion, 2);
  EQUAL([special three].patchVersion, 30);
  EXPECT([special isKindOfClass:[Probe class]]);
  EXPECT(![special isMemberOfClass:[Probe class]]);
  EXPECT([special respondsToSelector:@selector(twice:)]);
  EXPECT(![special respondsToSelector:@selector(addObject:)]);
}

CASE("a copied property keeps its value when the original changes") {
  @autoreleasepool {
    NSMutableDictionary *original = [NSMutableDictionary dictionary];
    original[@"a"] = @1;
    NSDictionary *copy = [original copy];
    original[@"a"] = @2;
    original[@"b"] = @3;
    EXPECT([copy isEqual:@{@"a" : @1}]);
    EQUAL(original.count, 2u);
  }
}

CASE("a C++ exception passes through a method and releases what was held") {
  try {
    Probe *probe = [Probe new];
    [probe fail];
  } catch (const std::runtime_error &error) {
    EQUAL(std::string(error.what()), std::string("from a method"));
  }
  EQUAL(gone, 1);
}

CASE("@available holds") {
  bool newer = false;
  if (@available(macOS 99.0, *)) newer = true;
  EXPECT(newer);
}

CASE("objects may be held and let go by many threads") {
  Probe *probe = [Probe new];
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; i++) {
    threads.emplace_back([probe] {
      for (int k = 0; k < 2000; k++) {
        @autoreleasepool {
          __weak Probe *weak = probe;
          NSArray *held = @[ probe, weak ];
          EQUAL(held.count, 2u);
        }
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  threads.clear();
  EQUAL(gone, 0);
  probe = nil;
  EQUAL(gone, 1);
}

CASE("aborts: a message to an object that is gone") {
  Probe *probe = [Probe new];
  void *raw = (__bridge void *)probe;
  probe = nil;
  ((__bridge Probe *)raw).number = 1;
}

CASE("aborts: an unknown selector") {
  Probe *probe = [Probe new];
  [(id)probe addObject:probe];
}

CASE("leaks: an object that is retained once too often is counted") {
  Probe *probe = [Probe new];
  (void)(__bridge_retained void *)probe;
}

int main(int count, char **words) { return test::main(count, words); }
