#import "internal.h"

#include <cstring>

NSErrorDomain const NSCocoaErrorDomain = @"NSCocoaErrorDomain";
NSErrorUserInfoKey const NSLocalizedDescriptionKey = @"NSLocalizedDescription";
NSErrorUserInfoKey const NSUnderlyingErrorKey = @"NSUnderlyingError";

@implementation NSError {
  NSString *_domain;
  NSDictionary *_userInfo;
  NSInteger _code;
}

+ (instancetype)errorWithDomain:(NSErrorDomain)domain code:(NSInteger)code userInfo:(NSDictionary *)userInfo {
  NSError *error = [self new];
  error->_domain = [domain copy];
  error->_code = code;
  error->_userInfo = userInfo == nil ? [NSDictionary new] : [userInfo copy];
  return autoreleased(error);
}

- (void)dealloc {
  objc_release(_domain);
  objc_release(_userInfo);
  [super dealloc];
}

- (NSErrorDomain)domain {
  return _domain;
}

- (NSInteger)code {
  return _code;
}

- (NSDictionary *)userInfo {
  return _userInfo;
}

- (NSString *)localizedDescription {
  NSString *text = [_userInfo objectForKey:NSLocalizedDescriptionKey];
  if (text != nil) return text;
  return [NSString stringWithFormat:@"The operation couldn’t be completed. (%@ error %ld.)", _domain, _code];
}

- (NSString *)description {
  return [NSString stringWithFormat:@"Error Domain=%@ Code=%ld \"%@\"", _domain, _code, self.localizedDescription];
}

- (id)copyWithZone:(NSZone *)zone {
  return objc_retain(self);
}

@end

BOOL fileError(NSError **error, NSInteger code, const std::string &what, const std::string &path, int number) {
  if (error == nullptr) return NO;
  NSString *text = stringOf(what + " “" + path + "”: " + strerror(number));
  *error = [NSError errorWithDomain:NSCocoaErrorDomain code:code userInfo:@{NSLocalizedDescriptionKey : text}];
  return NO;
}
